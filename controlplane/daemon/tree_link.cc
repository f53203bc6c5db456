#include "controlplane/daemon/tree_link.h"

#include <boost/json.hpp>
#include <chrono>
#include <utility>

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A province's children are a hundred; a tree without tiers between is eighteen hundred.
web::HttpsLimits tree_limits() {
  web::HttpsLimits limits;
  limits.connections = 4'096;
  limits.connections_per_address = 4'096;
  limits.body_bytes = std::size_t{16} << 20;
  return limits;
}

json::object json_of(const uplink::NodeState& state, std::int64_t now) {
  json::object one{{"age_ms", std::max<std::int64_t>(now - state.seen_ms, 0)}};
  uplink::write_told(state, one);
  return one;
}

}  // namespace

TreeLink::TreeLink(std::optional<access::Uplink> uplink, std::optional<access::Children> children,
                   Log log)
    : uplink_{std::move(uplink)}, children_{std::move(children)}, log_{std::move(log)} {}

TreeLink::~TreeLink() = default;

Result<std::unique_ptr<TreeLink>> TreeLink::make(std::optional<access::Uplink> uplink,
                                                 std::optional<access::Children> children,
                                                 const std::filesystem::path& directory, Log log) {
  std::unique_ptr<TreeLink> link{
      new TreeLink{std::move(uplink), std::move(children), std::move(log)}};
  link->states_file_ = directory.parent_path() / "nodes.json";
  if (!link->uplink_) return link;
  uplink::SpoolOptions options;
  options.directory = directory;
  options.cap_bytes = link->uplink_->spool_bytes;
  auto spool = uplink::Spool::open(std::move(options));
  if (!spool) return std::unexpected{spool.error()};
  link->spool_ = std::move(*spool);
  auto client = web::HttpsClient::make(
      {link->uplink_->parent, link->uplink_->tls, std::size_t{16} << 20});
  if (!client) return std::unexpected{client.error()};
  link->client_ = std::move(*client);
  return link;
}

Result<void> TreeLink::forward(std::span<const store::Batch> batches) {
  if (!spool_) return {};
  std::vector<std::string> records;
  for (const auto& batch : batches) {
    auto record = uplink::pack_batch(batch);
    if (!record) return std::unexpected{record.error()};
    records.push_back(std::move(*record));
  }
  return spool_->append(records);
}

Result<void> TreeLink::recover(const report::Take& take) {
  Result<void> result;
  if (!spool_) return result;
  spool_->each([&](const uplink::Record& record) {
    const auto batch = uplink::unpack_batch(record);
    if (!batch) return true;
    result = take(*batch);
    return result.has_value();
  });
  return result;
}

void TreeLink::set_policy(const policy::Catalog& catalog, const std::string& node,
                          const std::string& revision) {
  const std::lock_guard lock{mutex_};
  parent_.clear();
  for (const auto& one : catalog.nodes) {
    const bool has_parent = one.parent.is_some() && one.parent.index() < catalog.nodes.size();
    parent_[one.code] = has_parent ? catalog.nodes[one.parent.index()].code : std::string{};
  }
  node_ = node;
  revision_ = revision;
}

bool TreeLink::belongs(const std::string& child, const std::string& node) const {
  const std::lock_guard lock{mutex_};
  // A child is below us and not we ourselves; `node` is the child or below it.
  constexpr int kMostTiers = 16;
  bool passed_child = false;
  std::string at = node;
  for (int i = 0; i < kMostTiers; ++i) {
    passed_child = passed_child || at == child;
    const auto found = parent_.find(at);
    if (found == parent_.end() || found->second.empty()) return false;
    at = found->second;
    if (at == node_) return passed_child;
  }
  return false;
}

Result<void> TreeLink::pass_on(std::span<const store::Batch> batches,
                               std::span<const std::string> records) {
  if (!spool_) return {};
  if (forwards_flows()) return spool_->append(records);
  std::vector<std::string> without;
  for (std::size_t i = 0; i < batches.size() && i < records.size(); ++i) {
    if (batches[i].stream != store::Stream::kFlows) without.push_back(records[i]);
  }
  return spool_->append(without);
}

Result<void> TreeLink::start(boost::asio::io_context& io, report::Recorder& recorder) {
  {
    const std::lock_guard lock{mutex_};
    recorder_ = &recorder;
  }
  if (children_) {
    if (auto started = start_children(io, recorder); !started) return started;
  }
  if (uplink_) start_parent();
  return {};
}

Result<void> TreeLink::start_children(boost::asio::io_context& io, report::Recorder& recorder) {
  auto receiver = std::make_unique<uplink::Receiver>(uplink::Receiver::Settings{
      .belongs = [this](const std::string& child,
                        const std::string& node) { return belongs(child, node); },
      .append =
          [this, &recorder](std::span<const store::Batch> batches,
                            std::span<const std::string> records) {
            return recorder.append(batches, [&] { return pass_on(batches, records); });
          },
      .watermark = [&recorder](const std::string& source) { return recorder.watermark(source); },
      .now_ms = now_ms,
      .log = log_,
      .states_file = states_file_});
  auto* const hears = receiver.get();
  web::HttpsSettings settings;
  settings.address = children_->address;
  settings.port = children_->port;
  settings.tls = children_->tls;
  settings.networks = children_->networks;
  settings.limits = tree_limits();
  auto server = std::make_unique<web::HttpsServer>(
      io, settings,
      [hears](web::Request request, web::HttpsServer::Reply reply) {
        hears->take(request.peer.name, request.target, std::move(request.body),
                    [reply = std::move(reply)](uplink::Receiver::Answer answer) {
                      web::Response response;
                      response.status = answer.status;
                      response.body = std::move(answer.body);
                      reply(std::move(response));
                    });
      },
      [log = log_](const web::TurnedAway& turned) {
        const std::string why{web::name_of(turned.why)};
        log({"children: a connection from " + net::to_string(turned.address) + " was refused (" +
                 why + "): " + turned.detail,
             "下级上报：拒绝来自 " + net::to_string(turned.address) + " 的连接（" + why + "）：" +
                 turned.detail});
      });
  if (auto listening = server->listen(); !listening) return listening;
  const std::lock_guard lock{mutex_};
  receiver_ = std::move(receiver);
  server_ = std::move(server);
  return {};
}

void TreeLink::start_parent() {
  uplink::SenderSettings settings;
  settings.bytes_per_second = uplink_->bytes_per_second;
  auto sender = std::make_unique<uplink::Sender>(
      settings, *spool_,
      [client = client_](std::string_view target, std::string_view type, std::string_view body,
                         std::chrono::milliseconds within) {
        return client->post(target, type, body, within);
      },
      [this] { return state(); }, now_ms, log_);
  sender->start([client = client_] { client->cancel(); });
  const std::lock_guard lock{mutex_};
  sender_ = std::move(sender);
}

json::object TreeLink::state() const {
  const auto spool = spool_->status();
  const auto now = now_ms();
  const std::lock_guard lock{mutex_};
  uplink::NodeState own;
  own.node = node_;
  own.seen_ms = now;
  own.revision = revision_;
  own.spool_batches = spool.batches;
  own.spool_bytes = spool.bytes;
  own.spool_dropped = spool.dropped;
  own.dropped_flows = spool.dropped_flows;
  if (recorder_ != nullptr) own.dropped_flows += recorder_->status().dropped_flows;
  own.refused = spool.refused;
  json::array nodes{json_of(own, now)};
  if (receiver_) {
    for (const auto& below : receiver_->states()) {
      if (below.seen_ms > 0) nodes.push_back(json_of(below, now));
    }
  }
  return {{"nodes", std::move(nodes)}};
}

void TreeLink::stop() {
  std::unique_ptr<uplink::Sender> sender;
  std::unique_ptr<uplink::Receiver> receiver;
  std::unique_ptr<web::HttpsServer> server;
  {
    const std::lock_guard lock{mutex_};
    sender = std::move(sender_);
    receiver = std::move(receiver_);
    server = std::move(server_);
    recorder_ = nullptr;
  }
  if (server) server->close();
}

TreeLink::View TreeLink::view() const {
  View view;
  view.has_parent = uplink_.has_value();
  view.has_children = children_.has_value();
  if (spool_) view.spool = spool_->status();
  const std::lock_guard lock{mutex_};
  if (sender_) view.parent = sender_->status();
  if (receiver_) {
    view.states = receiver_->states();
    view.counts = receiver_->counts();
  }
  return view;
}

}  // namespace meiguan::daemon
