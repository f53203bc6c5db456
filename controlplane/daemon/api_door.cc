#include "controlplane/daemon/api_door.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/policy/message.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::string_view kTarget = "/v1";
constexpr std::string_view kJson = "application/json";
constexpr std::size_t kMostBundles = 64;
constexpr std::int64_t kExpiresSoonDays = 30;

// They name files of the box, which whoever asks from afar cannot see, or carry packets, which do
// not leave it by this door.
constexpr std::array<std::string_view, 5> kLocalCommands{"dry-run", "reload", "capture",
                                                         "capture-read", "capture-end"};
constexpr std::array<std::string_view, 3> kLocalKeys{"policy", "gateway", "bundles"};

web::HttpsSettings settings_of(const access::Api& api) {
  web::HttpsSettings settings;
  settings.address = api.address;
  settings.port = api.port;
  settings.tls = api.tls;
  settings.networks = api.networks;
  settings.limits.body_bytes = api::kMaxRequestBytes;
  return settings;
}

json::object not_from_afar(std::string_view what) {
  return api::refusal(
      {fmt::format("`{}` is for the local socket only: it names files of the appliance, or shows "
                   "packets; over HTTPS a policy comes as signed bundles",
                   what),
       fmt::format("`{}` 只能经本机套接字使用，因为它涉及设备上的文件或报文内容；通过 HTTPS "
                   "请提交已签名的策略包",
                   what)});
}

web::Response respond(unsigned status, const json::object& answer) {
  web::Response response;
  response.status = status;
  response.body = json::serialize(answer) + "\n";
  return response;
}

// Bundles that were sent, while they are looked at.
class Spooled {
 public:
  explicit Spooled(std::filesystem::path directory) : directory_{std::move(directory)} {}
  Spooled(const Spooled&) = delete;
  Spooled& operator=(const Spooled&) = delete;
  ~Spooled() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  [[nodiscard]] Result<std::filesystem::path> add(std::size_t number, std::string_view bytes) {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    auto path = directory_ / fmt::format("{}.bundle", number);
    if (auto kept = lifecycle::write_atomically(path, bytes, 0640); !kept) {
      return std::unexpected{kept.error()};
    }
    return path;
  }

 private:
  const std::filesystem::path directory_;
};

}  // namespace

ApiDoor::ApiDoor(boost::asio::io_context& io, boost::asio::thread_pool& workers,
                 const access::Appliance& appliance, const std::filesystem::path& state_dir,
                 Gate& gate, Answer answer)
    : workers_{workers},
      settings_{*appliance.api},
      persons_{appliance.persons},
      spool_{state_dir / "api"},
      gate_{gate},
      answer_{std::move(answer)},
      server_{io, settings_of(settings_),
              [this](web::Request request, web::HttpsServer::Reply reply) {
                serve(std::move(request), reply);
              },
              [this](const web::TurnedAway& one) { turned_away(one); }} {
  std::error_code ignored;
  std::filesystem::remove_all(spool_, ignored);  // of a daemon that was killed
}

access::Peer ApiDoor::peer_of(const web::Request& request) const {
  const auto person = std::ranges::find(persons_, request.peer.name, &access::Person::certificate);
  access::Peer peer = person == persons_.end() ? access::Peer{} : access::peer_of_user(person->uid);
  if (person == persons_.end()) {
    peer.uid = peer.gid = access::kNobody;
    peer.user = "certificate " + policy::printable(request.peer.name);
  }
  peer.certificate = request.peer.subject;
  peer.address = net::to_string(request.address);
  return peer;
}

void ApiDoor::serve(web::Request request, const web::HttpsServer::Reply& reply) {
  if (request.target != kTarget) {
    reply(respond(404, api::refusal({"commands are posted to /v1", "命令应提交到 /v1"})));
    return;
  }
  if (request.method != "POST") {
    auto response = respond(405, api::refusal({"commands are posted", "命令应以 POST 提交"}));
    response.headers.emplace_back("Allow", "POST");
    reply(std::move(response));
    return;
  }
  // What a page in a browser can send without asking first is not this type.
  if (!request.header("content-type").starts_with(kJson)) {
    reply(respond(415, api::refusal(
                           {"a command is application/json", "命令的类型应为 application/json"})));
    return;
  }
  boost::asio::post(workers_, [this, request = std::move(request), reply] {
    reply(respond(200, do_command(request)));
  });
}

json::object ApiDoor::do_command(const web::Request& request) {
  auto command = api::parse_request(request.body);
  if (!command) return api::refusal(command.error().message);
  const auto peer = peer_of(request);
  const auto name = api::string_at(*command, "command");
  // Judged before anything is said of what it asks for.
  if (!gate_.may_ask(*command, peer)) return answer_(*command, peer);
  if (std::ranges::find(kLocalCommands, name) != kLocalCommands.end()) return not_from_afar(name);
  for (const auto key : kLocalKeys) {
    if (name == "apply" && command->contains(key)) return not_from_afar(key);
  }
  if (name == "apply") return with_bundles(std::move(*command), peer);
  return answer_(*command, peer);
}

json::object ApiDoor::with_bundles(json::object request, const access::Peer& peer) {
  const auto* const contents = request.if_contains("bundle_contents");
  if (contents == nullptr || !contents->is_array() || contents->get_array().empty() ||
      contents->get_array().size() > kMostBundles) {
    return not_from_afar("apply");
  }
  Spooled spooled{spool_ / std::to_string(++offers_)};
  json::array paths;
  for (const auto& content : contents->get_array()) {
    const auto bytes = content.is_string()
                           ? crypto::from_base64(std::string_view{content.get_string()})
                           : std::nullopt;
    if (!bytes) {
      return api::refusal({"`bundle_contents` are bundles in base64",
                           "`bundle_contents` 应为 base64 编码的策略包"});
    }
    const auto path = spooled.add(paths.size(), *bytes);
    if (!path) return api::refusal(path.error().message);
    paths.emplace_back(path->string());
  }
  request.erase("bundle_contents");
  request["bundles"] = std::move(paths);
  return answer_(request, peer);
}

void ApiDoor::turned_away(const web::TurnedAway& one) {
  // Writing it down takes a moment that the connections' thread does not have.
  boost::asio::post(workers_, [this, one] {
    gate_.note("api-turned-away", {{"why", web::name_of(one.why)},
                                   {"address", net::to_string(one.address)},
                                   {"detail", policy::printable(one.detail)},
                                   {"passed_over", one.passed_over}});
  });
}

std::vector<Gate::Alarm> ApiDoor::alarms() const {
  const auto certificate = web::read_certificate(settings_.tls.certificate);
  if (!certificate) return {{"certificate", certificate.error().message.english}};
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const auto days = (certificate->not_after - now) / 86'400;
  if (days >= kExpiresSoonDays) return {};
  return {{"certificate-expires", fmt::format("{}: in {} days; SIGHUP reads a new one",
                                              settings_.tls.certificate.string(), days)}};
}

}  // namespace meiguan::daemon
