#include "tools/cli/ask.h"

#include <boost/json.hpp>
#include <utility>

#include "controlplane/api/protocol.h"
#include "tools/cli/load.h"
#include "tools/cli/remote.h"

namespace meiguan::cli {

namespace json = boost::json;

std::expected<json::object, int> ask(const Context& context, const json::object& request,
                                     std::chrono::seconds timeout) {
  auto answer = exchange(context, request, timeout);
  if (!answer) {
    complain(context, answer.error().message);
    return std::unexpected{kCouldNotAsk};
  }
  const auto* const ok = answer->if_contains("ok");
  if (ok != nullptr && ok->is_bool() && ok->get_bool()) {
    answer->stable_erase("ok");
    return std::move(*answer);
  }
  const auto diagnostics = api::diagnostics_of(*answer);
  if (!diagnostics.empty()) report(context, diagnostics);
  complain(context, api::refusal_text(*answer));
  return std::unexpected{diagnostics.empty() ? kCouldNotAsk : kBadInput};
}

}  // namespace meiguan::cli
