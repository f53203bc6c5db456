#include "tools/cli/remote.h"

#include <boost/json.hpp>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/web/https_client.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

constexpr std::uint16_t kPort = 8443;
constexpr unsigned kOk = 200;

}  // namespace

Result<json::object> exchange(const Context& context, const json::object& request,
                              std::chrono::seconds timeout) {
  if (context.remote.server.empty()) {
    return api::ask(context.run_dir / api::kSocketName, request, timeout);
  }
  const auto& remote = context.remote;
  auto server = web::parse_server(remote.server, kPort);
  if (!server) return std::unexpected{server.error()};
  if (remote.certificate.empty() || remote.key.empty() || remote.authority.empty()) {
    return fail(
        "--server needs --certificate, --key and --authority (or MEIGUAN_CERTIFICATE, "
        "MEIGUAN_KEY, MEIGUAN_AUTHORITY)",
        "--server 须与 --certificate、--key、--authority（或环境变量 MEIGUAN_CERTIFICATE、"
        "MEIGUAN_KEY、MEIGUAN_AUTHORITY）同用");
  }
  web::ClientSettings settings;
  settings.server = std::move(*server);
  settings.tls = {remote.certificate, remote.key, remote.authority, {}};
  settings.answer_bytes = api::kMaxAnswerBytes;
  auto client = web::HttpsClient::make(std::move(settings));
  if (!client) return std::unexpected{client.error()};
  auto answer = (*client)->post("/v1", "application/json", json::serialize(request), timeout);
  if (!answer) return std::unexpected{answer.error()};
  boost::system::error_code error;
  auto value = json::parse(answer->body, error);
  if (error || !value.is_object()) {
    const auto status = std::to_string(answer->status);
    return fail(remote.server + ": answered with status " + status +
                    (answer->status == kOk ? " and no JSON object" : ""),
                remote.server + "：应答状态为 " + status);
  }
  return std::move(value.get_object());
}

}  // namespace meiguan::cli
