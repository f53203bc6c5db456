#include "controlplane/daemon/link.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "controlplane/lifecycle/files.h"

namespace meiguan::daemon {
namespace {

constexpr std::chrono::milliseconds kRetryEvery{500};
constexpr std::chrono::milliseconds kLookEvery{1000};

std::unexpected<Error> no_dataplane() {
  return fail("this box has no data plane (--backend kernel)",
              "本机没有数据面（--backend kernel）");
}

std::unexpected<Error> absent() { return fail("the data plane does not answer", "数据面没有应答"); }

template <typename T>
std::optional<T> read_at(std::span<const std::byte> bytes, std::size_t at) {
  if (bytes.size() < at || bytes.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

Link::Link(std::filesystem::path socket, report::Collector& collector, Log log,
           kernel::Backend* instead)
    : socket_{std::move(socket)}, collector_{collector}, log_{std::move(log)}, instead_{instead} {
  if (instead_ == nullptr) thread_ = std::thread{[this] { run(); }};
}

Link::~Link() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Link::run() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    if (!client_) connect();
    // Asking is how a data plane that went away, or was started anew, is noticed.
    if (client_) {
      const auto status = ask_status();
      if (status && bundle_ && status->answer.checksum != bundle_->image.checksum()) {
        published_ = false;
      }
    }
    publish_what_waits();
    wake_.wait_for(lock, client_ ? kLookEvery : kRetryEvery, [this] { return stopping_; });
  }
}

// What was refused once will be refused again: not until another is to be published.
void Link::publish_what_waits() {
  if (client_ && blocks_ && !blocks_published_ && refused_blocks_ != blocks_) {
    if (auto sent = send_blocks(); !sent && client_) {
      log_(sent.error().message);
      refused_blocks_ = blocks_;
    }
  }
  if (client_ && bundle_ && !published_ && refused_ != bundle_) {
    const Terms terms{.provisional = provisional_, .may_reopen = true};
    if (auto sent = catch_up(terms); !sent && client_) {
      log_(sent.error().message);
      refused_ = bundle_;
    }
  }
}

// A data plane that has the policy already goes on with it: its flows need not be judged again.
Result<void> Link::catch_up(Terms terms) {
  const auto status = ask_status();
  if (!status || status->answer.checksum != bundle_->image.checksum()) return send(*bundle_, terms);
  published_ = true;
  return terms.provisional ? Result<void>{} : ask_to_keep();
}

Result<void> Link::ask_to_keep() {
  const auto answer = client_->ask(channel::Request::kKeep);
  if (!answer) return std::unexpected{answer.error()};
  return {};
}

Result<void> Link::keep() {
  const std::lock_guard lock{mutex_};
  provisional_ = false;
  // One that comes back is given it anew.
  return client_ && published_ ? ask_to_keep() : Result<void>{};
}

void Link::connect() {
  auto client = channel::Client::connect(socket_);
  if (!client) {
    if (!std::exchange(told_absent_, true)) {
      log_({"waiting for the data plane: " + client.error().message.english,
            "等待数据面：" + client.error().message.chinese});
    }
    return;
  }
  auto hello = client->ask(channel::Request::kHello);
  if (!hello) {
    log_(hello.error().message);
    return;
  }
  auto segment = report::Segment::open(*hello);
  if (!segment) {
    log_(segment.error().message);
    return;
  }
  workers_ = segment->hello().workers;
  log_({fmt::format("connected to the data plane, process {}, {} workers", segment->hello().pid,
                    workers_),
        fmt::format("已连接数据面：进程 {}，{} 个工作线程", segment->hello().pid, workers_)});
  collector_.attach(std::move(*segment));
  client_.emplace(std::move(*client));
  told_absent_ = false;
  published_ = false;
  refused_.reset();
  blocks_published_ = false;
  refused_blocks_.reset();
}

void Link::hang_up(const Error& error) {
  log_({"lost the data plane: " + error.message.english, "与数据面断开：" + error.message.chinese});
  client_.reset();
  collector_.detach();
}

Result<void> Link::send(const lifecycle::Bundle& bundle, Terms terms) {
  const auto image = lifecycle::sealed_memfd(bundle.compiled.bytes.span());
  if (!image) return std::unexpected{image.error()};
  const int descriptor = *image;
  channel::PublishRequest request;
  if (terms.provisional) request.flags |= channel::PublishRequest::kProvisional;
  if (terms.may_reopen) request.flags |= channel::PublishRequest::kMayReopen;
  auto answer = client_->ask(channel::Request::kPublish, std::as_bytes(std::span{&request, 1}),
                             std::span{&descriptor, 1});
  ::close(descriptor);
  if (!answer) {
    // A refusal leaves the channel as it is; a broken channel does not answer the next question.
    const auto error = answer.error();
    static_cast<void>(ask_status());
    return std::unexpected{error};
  }
  const auto published = read_at<channel::PublishAnswer>(answer->payload, 0);
  if (!published || published->checksum != bundle.image.checksum()) {
    return fail("the data plane put another image in force than the one published",
                "数据面生效的映像与所发布的不一致");
  }
  published_ = true;
  log_({fmt::format("policy published, generation {}", published->generation),
        fmt::format("策略已发布，第 {} 代", published->generation)});
  return {};
}

Result<bool> Link::publish(std::shared_ptr<const lifecycle::Bundle> bundle, Terms terms) {
  const std::lock_guard lock{mutex_};
  if (instead_ != nullptr) {
    if (auto put = instead_->put(std::move(bundle)); !put) return std::unexpected{put.error()};
    return true;
  }
  if (client_ && blocks_ && !blocks_published_) {
    if (auto sent = send_blocks(); !sent && client_) log_(sent.error().message);
  }
  if (client_) {
    if (auto sent = send(*bundle, terms); !sent && client_) return std::unexpected{sent.error()};
  }
  const bool done = client_.has_value();
  bundle_ = std::move(bundle);
  provisional_ = terms.provisional;
  published_ = done;
  return done;
}

std::optional<std::uint64_t> Link::ask_hits(std::vector<channel::BlockHit>* hits) {
  std::uint32_t cursor = 0;
  std::optional<std::uint64_t> checksum;
  do {
    auto answer = client_->ask(channel::Request::kBlockHits, std::as_bytes(std::span{&cursor, 1}));
    if (!answer) return std::nullopt;
    const auto head = read_at<channel::BlockHitsAnswer>(answer->payload, 0);
    // Another list has come meanwhile: its records have other numbers.
    if (!head || (checksum && *checksum != head->checksum)) return std::nullopt;
    checksum = head->checksum;
    if (hits == nullptr) return checksum;
    for (std::uint32_t i = 0; i < head->hits; ++i) {
      const auto hit = read_at<channel::BlockHit>(answer->payload,
                                                  sizeof *head + i * sizeof(channel::BlockHit));
      if (!hit) return std::nullopt;
      hits->push_back(*hit);
    }
    if (head->next_cursor <= cursor) break;
    cursor = head->next_cursor;
  } while (true);
  return checksum;
}

Result<void> Link::send_blocks() {
  image::BlockHeader header;
  std::memcpy(&header, blocks_->span().data(), sizeof header);
  // A list that is there is not sent again: every new one has all flows judged once more.
  if (ask_hits(nullptr) == header.checksum) {
    blocks_published_ = true;
    return {};
  }
  const auto memfd = lifecycle::sealed_memfd(blocks_->span());
  if (!memfd) return std::unexpected{memfd.error()};
  const int descriptor = *memfd;
  auto answer = client_->ask(channel::Request::kBlocks, {}, std::span{&descriptor, 1});
  ::close(descriptor);
  if (!answer) {
    const auto error = answer.error();
    static_cast<void>(ask_status());
    return std::unexpected{error};
  }
  const auto taken = read_at<channel::BlocksAnswer>(answer->payload, 0);
  if (!taken || taken->checksum != header.checksum) {
    return fail("the data plane put another block list in force than the one published",
                "数据面生效的封禁名单与所发布的不一致");
  }
  blocks_published_ = true;
  return {};
}

Result<bool> Link::publish_blocks(std::shared_ptr<const image::AlignedBytes> blocks) {
  const std::lock_guard lock{mutex_};
  if (instead_ != nullptr) return no_dataplane();
  const auto before = std::exchange(blocks_, std::move(blocks));
  const bool before_published = std::exchange(blocks_published_, false);
  if (client_) {
    if (auto sent = send_blocks(); !sent && client_) {
      blocks_ = before;
      blocks_published_ = before_published;
      return std::unexpected{sent.error()};
    }
  }
  return blocks_published_;
}

bool Link::has_foreign_blocks() {
  const std::lock_guard lock{mutex_};
  return client_ && !blocks_ && ask_hits(nullptr).value_or(0) != 0;
}

std::optional<std::vector<channel::BlockHit>> Link::block_hits() {
  const std::lock_guard lock{mutex_};
  if (!client_ || !blocks_ || !blocks_published_) return std::nullopt;
  image::BlockHeader header;
  std::memcpy(&header, blocks_->span().data(), sizeof header);
  std::vector<channel::BlockHit> hits;
  if (ask_hits(&hits) != header.checksum) return std::nullopt;
  return hits;
}

std::optional<DataplaneStatus> Link::ask_status() {
  auto answer = client_->ask(channel::Request::kStatus);
  if (!answer) {
    hang_up(answer.error());
    return std::nullopt;
  }
  const auto head = read_at<channel::StatusAnswer>(answer->payload, 0);
  if (!head) return std::nullopt;
  DataplaneStatus status{.answer = *head, .ports = {}, .machine = {}, .routes = {}};
  for (std::uint32_t i = 0; i < head->ports; ++i) {
    auto port = read_at<channel::PortState>(answer->payload,
                                            sizeof *head + i * sizeof(channel::PortState));
    if (!port) break;
    port->name.back() = '\0';
    status.ports.push_back(*port);
  }
  const std::size_t behind_ports = sizeof *head + head->ports * sizeof(channel::PortState);
  const auto machine = read_at<channel::MachineState>(answer->payload, behind_ports);
  if (machine) status.machine = *machine;
  const auto routes = read_at<channel::RoutesState>(answer->payload,
                                                    behind_ports + sizeof(channel::MachineState));
  if (routes) status.routes = *routes;
  return status;
}

Result<channel::Message> Link::begin_capture(std::span<const std::byte> request) {
  const std::lock_guard lock{mutex_};
  if (!client_) return absent();
  return client_->ask(channel::Request::kCapture, request);
}

void Link::end_capture() {
  const std::lock_guard lock{mutex_};
  // One that does not answer ends it by itself.
  if (client_) static_cast<void>(client_->ask(channel::Request::kCaptureEnd));
}

std::optional<DataplaneStatus> Link::status() {
  const std::lock_guard lock{mutex_};
  return client_ ? ask_status() : std::nullopt;
}

Result<std::vector<channel::RouteState>> Link::routes() {
  const std::lock_guard lock{mutex_};
  if (instead_ != nullptr) return no_dataplane();
  constexpr unsigned kTries = 5;
  std::vector<channel::RouteState> routes;
  channel::RoutesRequest request{0, 0};
  for (unsigned tries = 0; client_ && tries < kTries;) {
    auto answer = client_->ask(channel::Request::kRoutes, std::as_bytes(std::span{&request, 1}));
    if (!answer) return std::unexpected{answer.error()};
    const auto head = read_at<channel::RoutesAnswer>(answer->payload, 0);
    if (!head) return absent();
    if (request.generation != 0 && head->generation != request.generation) {
      // They have changed in between: from the beginning.
      routes.clear();
      request = {0, 0};
      ++tries;
      continue;
    }
    for (std::size_t at = sizeof *head;; at += sizeof(channel::RouteState)) {
      const auto route = read_at<channel::RouteState>(answer->payload, at);
      if (!route) break;
      routes.push_back(*route);
    }
    if (head->next_cursor == 0) return routes;
    request = {head->generation, head->next_cursor};
  }
  if (!client_) return absent();
  return fail("the routes change faster than they can be listed; ask again",
              "路由变化过快，无法完整列出，请重试");
}

Result<std::vector<fastpath::Event>> Link::flows(std::size_t limit) {
  std::vector<fastpath::Event> events;
  const auto walked = walk_flows([&](const fastpath::Event& event) {
    if (events.size() < limit) events.push_back(event);
    return events.size() < limit;
  });
  if (!walked) return std::unexpected{walked.error()};
  return events;
}

Result<void> Link::each_flow(const std::function<void(const fastpath::Event&)>& visit) {
  return walk_flows([&](const fastpath::Event& event) {
    visit(event);
    return true;
  });
}

// Shows flows to `visit` until it answers false.
Result<void> Link::walk_flows(const std::function<bool(const fastpath::Event&)>& visit) {
  const std::lock_guard lock{mutex_};
  if (instead_ != nullptr) return no_dataplane();
  for (std::uint32_t worker = 0; client_ && worker < workers_; ++worker) {
    channel::FlowsRequest request{worker, 0};
    do {
      auto answer = client_->ask(channel::Request::kFlows, std::as_bytes(std::span{&request, 1}));
      if (!answer) return std::unexpected{answer.error()};
      const auto head = read_at<channel::FlowsAnswer>(answer->payload, 0);
      if (!head) return absent();
      for (std::uint32_t i = 0; i < head->events; ++i) {
        const auto event = read_at<fastpath::Event>(answer->payload,
                                                    sizeof *head + i * sizeof(fastpath::Event));
        if (!event) break;
        if (!visit(*event)) return {};
      }
      request.cursor = head->next_cursor;
    } while (request.cursor != 0);
  }
  if (!client_) return absent();
  return {};
}

}  // namespace meiguan::daemon
