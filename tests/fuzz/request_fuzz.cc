// A request as the local socket's line or an HTTPS body, under hostile bytes: decoded, judged by
// role, and written into the audit log; and the same bytes as an answer that the command line got.

#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/access/roles.h"
#include "controlplane/api/protocol.h"
#include "controlplane/audit/record.h"
#include "controlplane/crypto/digest.h"

namespace {

using namespace meiguan;
namespace json = boost::json;

// Whoever reads the log finds this record, and it whole, whatever was asked.
void write_down(const json::object& request, const std::string& command) {
  audit::Event event{"somebody", 1000, "security", command.substr(0, 64), "refused", request};
  const auto line = audit::line_of(event, 7, audit::time_text(1'800'000'000'000),
                                   crypto::HashKind::kSha256, audit::kNoHash);
  if (line.size() > audit::kMaxLineBytes || line.find('\n') != line.npos) std::abort();
  const auto read = audit::split_line(line);
  if (!read || read->number != 7) std::abort();
  if (audit::hash_of_line(crypto::HashKind::kSha256, audit::kNoHash, read->body) != read->hash) {
    std::abort();
  }
}

void judge(const json::object& request) {
  const auto command = api::string_at(request, "command");
  const bool known = access::find_command(command) != nullptr;
  for (const auto role : {access::Role::kNone, access::Role::kSystem, access::Role::kSecurity,
                          access::Role::kAudit}) {
    if (access::may(role, command) && (!known || role == access::Role::kNone)) std::abort();
  }
  for (const char* const key : {"confirm_seconds", "revision", "last", "limit"}) {
    static_cast<void>(api::number_at(request, key));
    static_cast<void>(api::flag_at(request, key));
  }
  const auto* const contents = request.if_contains("bundle_contents");
  if (contents != nullptr && contents->is_array()) {
    for (const auto& one : contents->get_array()) {
      if (one.is_string()) static_cast<void>(crypto::from_base64(one.get_string()));
    }
  }
  write_down(request, command);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // An exact copy, so that one byte too far is caught.
  const std::vector<char> bytes(data, data + size);
  const auto request = api::parse_request({bytes.data(), bytes.size()});
  if (!request) return 0;
  judge(*request);
  // What is read from what was written asks the same: nobody is judged by one and obeyed by
  // another. (A number that no integer holds may differ in its last digit.)
  const auto again = api::parse_request(json::serialize(*request));
  if (!again || again->size() != request->size()) std::abort();
  for (const char* const key : {"command", "policy", "gateway", "hash", "signature"}) {
    if (api::string_at(*again, key) != api::string_at(*request, key)) std::abort();
    if (again->contains(key) != request->contains(key)) std::abort();
  }
  static_cast<void>(api::refusal_text(*request));
  const auto diagnostics = api::diagnostics_of(*request);
  for (const auto& diagnostic : diagnostics) {
    static_cast<void>(policy::render(diagnostic, Language::kChinese, false));
  }
  static_cast<void>(api::to_json(diagnostics));
  return 0;
}
