// A province of reporting nodes on one machine: a collector with its store, and light clients that
// report seeded traffic over real mTLS on loopback, with outages, lost answers and wrong clocks.
//
//   simulate DIRECTORY NODES MINUTES GROUPS SEED
//
// At the end the sums of every node at the collector must be what was generated, to the packet.
// Prints a line of JSON; ends with 1 where anything differs.

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/store/store.h"
#include "controlplane/uplink/receiver.h"
#include "controlplane/uplink/sender.h"
#include "controlplane/web/https_server.h"
#include "controlplane/web/test_certificates.h"

namespace meiguan::simulate {
namespace {

namespace fs = std::filesystem;
using store::Batch;
using store::Row;

constexpr std::int64_t kStart = 1'795'276'800;  // of the minutes that are told of
constexpr std::size_t kThreads = 4;
constexpr std::uint64_t kEpoch = 7;

struct Plan {
  int nodes{0};
  int minutes{0};
  int groups{0};
  unsigned seed{0};
};

std::string code_of(int node) { return fmt::format("36{:04}", node); }

Batch batch_of(const Plan& plan, int node, int minute) {
  std::mt19937 random{plan.seed * 7919U + static_cast<unsigned>(node) * 104'729U +
                      static_cast<unsigned>(minute)};
  Batch batch;
  batch.node = code_of(node);
  batch.epoch = kEpoch;
  batch.sequence = static_cast<std::uint64_t>(minute) + 1;
  // Some clocks are wrong by minutes; what they say counts in their own time.
  batch.minute = kStart + minute * 60 + (node % 17 == 0 ? 300 : 0);
  batch.watch.watched_ms = 60'000;
  for (int i = 0; i < plan.groups; ++i) {
    Row row;
    row.key[store::Dimension::kNode] = batch.node;
    row.key[store::Dimension::kUnit] = fmt::format("unit-{}-{}", node, i % 12);
    row.key[store::Dimension::kService] = fmt::format("service-{}", i % 30);
    row.key[store::Dimension::kReason] = i % 10 == 0 ? "denied" : "allowed";
    row.key[store::Dimension::kRule] = fmt::format("360000/rule-{}", i);
    row.key[store::Dimension::kFamily] = i % 5 == 0 ? "ipv6" : "ipv4";
    const auto n = static_cast<std::int64_t>(random() % 100'000);
    row.sums = {.packets = n, .bytes = n * 700, .started = n / 20, .ended = n / 20};
    batch.rows.push_back(std::move(row));
  }
  return batch;
}

// A node whose spool is its seed: what the collector does not have, it makes again.
class Client {
 public:
  Client(const Plan& plan, int node, web::ClientSettings settings)
      : plan_{plan}, node_{node}, random_{plan.seed + static_cast<unsigned>(node)} {
    auto made = web::HttpsClient::make(std::move(settings));
    if (made) client_ = std::move(*made);
  }
  [[nodiscard]] bool usable() const { return client_ != nullptr; }
  [[nodiscard]] bool over() const { return next_ >= plan_.minutes; }
  [[nodiscard]] std::uint64_t repeats() const { return repeats_; }
  [[nodiscard]] std::string trouble() const { return trouble_; }

  // One exchange, unless there is an outage.
  void step() {
    if (outage_ > 0) {
      --outage_;
      return;
    }
    if (random_() % 40 == 0) outage_ = static_cast<int>(random_() % 6);
    constexpr int kTogether = 5;  // minutes, of those that wait
    std::string body;
    const int until = std::min(plan_.minutes, next_ + kTogether);
    for (int minute = next_; minute < until; ++minute) {
      auto bytes = uplink::pack_batch(batch_of(plan_, node_, minute));
      if (bytes) body += *bytes;
    }
    const auto answer = client_->post(uplink::kBatchesTarget, "application/octet-stream", body,
                                      std::chrono::seconds{60});
    if (!answer || answer->status != 200) {
      trouble_ = answer ? answer->body : answer.error().message.english;
      return;
    }
    // Lost on its way back: all of it is sent again.
    if (random_() % 10 == 0) {
      ++repeats_;
      return;
    }
    boost::system::error_code error;
    const auto parsed = boost::json::parse(answer->body, error);
    const auto* const results = !error && parsed.is_object()
                                    ? parsed.as_object().if_contains("results")
                                    : nullptr;
    if (results == nullptr || !results->is_array()) return;
    for (const auto& one : results->as_array()) {
      const auto* const is = one.is_object() ? one.as_object().if_contains("is") : nullptr;
      if (is == nullptr || !is->is_string()) return;
      if (is->as_string() != "applied" && is->as_string() != "before") {
        trouble_ = answer->body;
        return;
      }
      ++next_;
    }
  }

 private:
  const Plan& plan_;
  int node_;
  std::mt19937 random_;
  std::unique_ptr<web::HttpsClient> client_;
  int next_{0};
  int outage_{0};
  std::uint64_t repeats_{0};
  std::string trouble_;
};

// Packets and bytes of each node, as generated and as stored.
using Sums = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;

Sums generated(const Plan& plan) {
  Sums sums;
  for (int node = 0; node < plan.nodes; ++node) {
    auto& sum = sums[code_of(node)];
    for (int minute = 0; minute < plan.minutes; ++minute) {
      for (const auto& row : batch_of(plan, node, minute).rows) {
        sum.first += row.sums.packets;
        sum.second += row.sums.bytes;
      }
    }
  }
  return sums;
}

Sums stored(store::Store& store, std::int64_t step) {
  store::Query query;
  query.since = kStart;
  query.until = kStart + 2 * store::kDay;
  query.step = step;
  query.now = kStart;
  query.by = {store::Dimension::kNode};
  Sums sums;
  const auto answer = store.query(query);
  if (!answer) return sums;
  for (const auto& row : answer->rows) {
    auto& sum = sums[row.names.at(0)];
    sum.first += row.sums.packets;
    sum.second += row.sums.bytes;
  }
  return sums;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// The collector: its server, its receiver, its store.
class Collector {
 public:
  Collector(store::Store& store, const web::TlsFiles& tls)
      : receiver_{{.belongs =
                       [](const std::string& child, const std::string& node) {
                         return child == node && child.starts_with("36");
                       },
                   .append =
                       [&store](std::span<const Batch> batches, std::span<const std::string>) {
                         return store.append(batches);
                       },
                   .watermark =
                       [&store](const std::string& source) { return store.watermark(source); },
                   .now_ms = [] { return (kStart + store::kDay) * 1'000; },
                   .log = [](const Text& text) { fmt::print(stderr, "{}\n", text.english); },
                   .states_file = {}}},
        server_{io_, settings(tls),
                [this](web::Request request, web::HttpsServer::Reply reply) {
                  receiver_.take(
                      request.peer.name, request.target, std::move(request.body),
                      [reply = std::move(reply)](uplink::Receiver::Answer answer) {
                        reply({answer.status, "application/json", std::move(answer.body), {}});
                      });
                },
                [](const web::TurnedAway& turned) {
                  fmt::print(stderr, "turned away: {} {}\n", web::name_of(turned.why),
                             turned.detail);
                }} {}
  ~Collector() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    server_.close();
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  [[nodiscard]] bool start() {
    const auto listening = server_.listen();
    if (!listening) fmt::print(stderr, "{}\n", listening.error().message.english);
    if (listening) thread_ = std::thread{[this] { io_.run(); }};
    return listening.has_value();
  }
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }
  [[nodiscard]] uplink::ReceiverCounts counts() const { return receiver_.counts(); }

 private:
  static web::HttpsSettings settings(const web::TlsFiles& tls) {
    web::HttpsSettings settings;
    settings.address = net::parse_address("127.0.0.1").value();
    settings.tls = tls;
    settings.networks = {net::Prefix::around(settings.address, 8)};
    settings.limits.connections = settings.limits.connections_per_address = 8'192;
    settings.limits.idle = std::chrono::minutes{10};
    return settings;
  }
  boost::asio::io_context io_;
  uplink::Receiver receiver_;
  web::HttpsServer server_;
  std::thread thread_;
};

void run_clients(std::vector<std::unique_ptr<Client>>& clients) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&clients, i] {
      for (bool busy = true; busy;) {
        busy = false;
        for (std::size_t k = i; k < clients.size(); k += kThreads) {
          if (clients[k]->over()) continue;
          clients[k]->step();
          busy = true;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

// Nobody comes in who does not belong, and nobody speaks for another.
bool strangers_are_refused(Collector& collector, web::TestAuthority& authority,
                           web::TestAuthority& foreign, const web::TlsFiles& known) {
  const auto post = [&](web::TlsFiles files, const std::string& body) -> std::string {
    files.authority = authority.file();
    auto client = web::HttpsClient::make({{"127.0.0.1", collector.port()}, files});
    if (!client) return "no client";
    const auto answer = (*client)->post(uplink::kBatchesTarget, "application/octet-stream", body,
                                        std::chrono::seconds{20});
    if (!answer) return "no answer";
    return fmt::format("{} {}", answer->status, answer->body);
  };
  Plan plan{.nodes = 1, .minutes = 1, .groups = 1, .seed = 1};
  const auto body = uplink::pack_batch(batch_of(plan, 1, 0)).value();
  struct Case {
    const char* name;
    web::TlsFiles files;
    const char* want;
  };
  const Case kCases[] = {
      {"a stranger's name", authority.issue("stranger", {.names = {"stranger"}}), "403 "},
      {"an expired certificate",
       authority.issue("expired", {.names = {code_of(1)},
                                   .valid_from_seconds = -7'200,
                                   .valid_to_seconds = -3'600}),
       "no answer"},
      {"a foreign certificate", foreign.issue("foreign", {.names = {code_of(1)}}), "no answer"},
      {"another's code", known, "refused"},
  };
  bool good = true;
  for (const auto& test : kCases) {
    const auto got = post(test.files, body);
    if (got.find(test.want) != std::string::npos) continue;
    fmt::print(stderr, "{}: {}, {} wanted\n", test.name, got, test.want);
    good = false;
  }
  return good;
}

int run(const fs::path& directory, const Plan& plan) {
  const auto begun = std::chrono::steady_clock::now();
  auto opened = store::open_sqlite(directory / "stats", {});
  if (!opened) {
    fmt::print(stderr, "{}\n", opened.error().message.english);
    return 2;
  }
  auto& store = **opened;
  fs::create_directories(directory / "keys");
  fs::create_directories(directory / "foreign");
  web::TestAuthority authority{directory / "keys", "province"};
  web::TestAuthority foreign{directory / "foreign", "foreign"};
  Collector collector{store, authority.issue("collector", {.names = {"360000"}})};
  if (!collector.start()) return 2;
  std::vector<std::unique_ptr<Client>> clients;
  web::TlsFiles first;
  for (int node = 0; node < plan.nodes; ++node) {
    auto files = authority.issue(code_of(node), {.names = {code_of(node)}});
    files.authority = authority.file();
    if (node == 0) first = files;
    clients.push_back(
        std::make_unique<Client>(plan, node,
                                 web::ClientSettings{{"127.0.0.1", collector.port()}, files}));
    if (!clients.back()->usable()) return 2;
  }
  const bool refused = strangers_are_refused(collector, authority, foreign, first);
  const auto reporting = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  run_clients(clients);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - reporting).count();
  const double used = cpu_seconds() - cpu;
  std::uint64_t repeats = 0;
  for (const auto& client : clients) {
    repeats += client->repeats();
    if (!client->trouble().empty()) fmt::print(stderr, "{}\n", client->trouble());
  }
  const auto want = generated(plan);
  bool same = true;
  for (const std::int64_t step : {store::kMinute, store::kHour, store::kDay}) {
    const auto got = stored(store, step);
    if (got == want) continue;
    same = false;
    fmt::print(stderr, "sums by {} s differ: {} nodes stored, {} generated\n", step, got.size(),
               want.size());
  }
  const auto counts = collector.counts();
  const auto rows = static_cast<double>(plan.nodes) * plan.minutes * plan.groups;
  fmt::print(
      "{{\"schema\":\"meiguan.simulation/v1\",\"nodes\":{},\"minutes\":{},\"groups\":{},"
      "\"seed\":{},\"same\":{},\"strangers_refused\":{},\"batches\":{},\"repeats\":{},"
      "\"lost_answers\":{},\"gaps\":{},\"seconds\":{:.1f},\"rows_per_second\":{:.0f},"
      "\"processor_seconds\":{:.1f},\"all_seconds\":{:.1f}}}\n",
      plan.nodes, plan.minutes, plan.groups, plan.seed, same, refused, counts.batches,
      counts.repeats, repeats, counts.gaps, seconds, rows / seconds, used,
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  return same && refused ? 0 : 1;
}

}  // namespace
}  // namespace meiguan::simulate

int main(int argc, char** argv) {
  if (argc != 6) {
    fmt::print(stderr, "simulate DIRECTORY NODES MINUTES GROUPS SEED\n");
    return 2;
  }
  const auto number = [&](int i) { return std::max(std::atoi(argv[i]), 1); };
  return meiguan::simulate::run(argv[1], {.nodes = number(2),
                                          .minutes = number(3),
                                          .groups = number(4),
                                          .seed = static_cast<unsigned>(number(5))});
}
