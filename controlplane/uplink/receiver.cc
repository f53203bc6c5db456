#include "controlplane/uplink/receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "controlplane/uplink/sender.h"

namespace meiguan::uplink {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostWaitingBytes = std::size_t{128} << 20;
constexpr std::size_t kMostTogether = 512;  // requests
constexpr std::size_t kMostStates = 8'192;  // nodes in one report
constexpr std::int64_t kAhead = 86'400;     // seconds that a child's clock may be wrong
constexpr unsigned kBadAllowed = 20;        // malformed requests of a child in a minute
constexpr std::int64_t kBadMs = 60'000;
constexpr std::chrono::seconds kKeepEvery{15};  // states come as often

Receiver::Answer problem(unsigned status, std::string_view why) {
  return {status, json::serialize(json::object{{"schema", kAnswerSchema}, {"why", why}})};
}

}  // namespace

// What becomes of one record of a request.
struct Receiver::Piece {
  std::string_view is{"refused"};
  std::uint64_t expects{0};
  std::string why;
  std::optional<std::size_t> batch;  // of the group
};

// Requests whose batches are appended together.
struct Receiver::Group {
  struct Part {
    Request request;
    std::vector<Piece> pieces;
  };
  std::vector<Part> parts;
  std::vector<store::Batch> batches;
  std::vector<std::string> records;
  std::string trouble;  // the store cannot take them
};

Receiver::Receiver(Settings settings)
    : settings_{std::move(settings)},
      states_{settings_.states_file.empty() ? NodeStates{} : load_states(settings_.states_file)},
      kept_{states_},
      thread_{[this] { run(); }} {}

Receiver::~Receiver() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  keep_states();
}

void Receiver::keep_states() {
  kept_at_ = std::chrono::steady_clock::now();
  if (settings_.states_file.empty()) return;
  auto now = [this] {
    const std::lock_guard lock{mutex_};
    return states_;
  }();
  if (now == kept_) return;
  if (auto saved = save_states(settings_.states_file, now); !saved) {
    return settings_.log(saved.error().message);
  }
  kept_ = std::move(now);
}

bool Receiver::is_shut_out(const std::string& child, std::int64_t now) {
  const auto found = bad_.find(child);
  if (found == bad_.end()) return false;
  if (now - found->second.since_ms >= kBadMs || now < found->second.since_ms) {
    bad_.erase(found);
    return false;
  }
  return found->second.count >= kBadAllowed;
}

void Receiver::note_bad(const std::string& child) {
  const auto now = settings_.now_ms();
  const std::lock_guard lock{mutex_};
  ++counts_.malformed;
  auto& bad = bad_[child];
  if (bad.count == 0) bad.since_ms = now;
  ++bad.count;
}

void Receiver::take(std::string child, std::string target, std::string body, Reply reply) {
  const auto now = settings_.now_ms();
  bool shut_out = false;
  bool full = false;
  {
    const std::lock_guard lock{mutex_};
    ++counts_.requests;
    shut_out = is_shut_out(child, now);
    full = waiting_bytes_ + body.size() > kMostWaitingBytes;
    if (shut_out || full) {
      ++counts_.turned_away;
    } else {
      waiting_bytes_ += body.size();
      requests_.push_back(
          {std::move(child), std::move(target), std::move(body), std::move(reply), now});
    }
  }
  if (shut_out) return reply(problem(429, "too many malformed requests"));
  if (full) return reply(problem(503, "no room at present"));
  wake_.notify_all();
}

void Receiver::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !requests_.empty(); });
    if (stopping_) return;
    std::deque<Request> some;
    while (!requests_.empty() && some.size() < kMostTogether) {
      waiting_bytes_ -= requests_.front().body.size();
      some.push_back(std::move(requests_.front()));
      requests_.pop_front();
    }
    lock.unlock();
    serve(std::move(some));
    if (std::chrono::steady_clock::now() - kept_at_ >= kKeepEvery) keep_states();
    lock.lock();
  }
}

void Receiver::serve(std::deque<Request> requests) {
  Group group;
  for (auto& request : requests) {
    if (!settings_.belongs(request.child, request.child)) {
      request.reply(problem(403, "no node of this tree below here has that certificate's name"));
      continue;
    }
    if (request.target == kStateTarget) {
      request.reply(take_state(request));
    } else if (request.target != kBatchesTarget) {
      request.reply(problem(404, "no such target"));
    } else if (!read_batches(request, group)) {
      note_bad(request.child);
      request.reply(problem(400, "no batches, or damaged ones"));
    }
  }
  if (group.parts.empty()) return;
  append(group);
  answer(group);
}

bool Receiver::read_batches(Request& request, Group& group) {
  Group::Part part;
  const auto batches = group.batches.size();
  const auto give_up = [&] {
    group.batches.resize(batches);
    group.records.resize(batches);
    return false;
  };
  std::string_view rest = request.body;
  if (rest.empty()) return false;
  while (!rest.empty()) {
    const auto record = take_record(rest);
    if (!record) return give_up();
    Piece piece;
    const std::string node{record->node};
    if (!settings_.belongs(request.child, node)) {
      piece.why = node + " is not below " + request.child;
    } else if (auto batch = unpack_batch(*record); !batch) {
      piece.why = batch.error().message.english;
    } else if (batch->minute > request.received_ms / 1000 + kAhead) {
      piece.why = "it is of a day that has not come";
    } else {
      piece.batch = group.batches.size();
      group.batches.push_back(std::move(*batch));
      group.records.emplace_back(record->bytes);
    }
    part.pieces.push_back(std::move(piece));
  }
  part.request = std::move(request);
  group.parts.push_back(std::move(part));
  return true;
}

void Receiver::append(Group& group) {
  if (group.batches.empty()) return;
  const auto said = settings_.append(group.batches, group.records);
  if (!said || said->size() != group.batches.size()) {
    group.trouble = said ? "the store gave no answer" : said.error().message.english;
    settings_.log(said ? Text{group.trouble, "统计库没有答复"} : said.error().message);
    return;
  }
  for (auto& part : group.parts) {
    for (auto& piece : part.pieces) {
      if (!piece.batch) continue;
      const auto& batch = group.batches[*piece.batch];
      const auto applied = (*said)[*piece.batch];
      piece.is = applied == store::Applied::kNow      ? "applied"
                 : applied == store::Applied::kBefore ? "before"
                                                      : "gap";
      if (applied != store::Applied::kGap) continue;
      const auto mark = settings_.watermark(batch.source());
      if (!mark) {
        group.trouble = mark.error().message.english;
        return;
      }
      piece.expects = *mark && (*mark)->epoch == batch.epoch ? (*mark)->sequence + 1 : 1;
    }
  }
}

void Receiver::answer(Group& group) {
  for (auto& part : group.parts) {
    if (!group.trouble.empty()) {
      part.request.reply(problem(503, group.trouble));
      continue;
    }
    json::array results;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& piece : part.pieces) {
        json::object one{{"is", piece.is}};
        if (piece.is == "gap") one["expects"] = static_cast<std::int64_t>(piece.expects);
        if (!piece.why.empty()) one["why"] = piece.why;
        results.push_back(std::move(one));
        ++(piece.is == "applied"  ? counts_.batches
           : piece.is == "before" ? counts_.repeats
           : piece.is == "gap"    ? counts_.gaps
                                  : counts_.refused);
        if (!piece.batch) continue;
        const auto& batch = group.batches[*piece.batch];
        auto& state = states_[batch.node];
        state.node = batch.node;
        if (batch.has_rows()) state.newest_minute = std::max(state.newest_minute, batch.minute);
      }
      auto& child = states_[part.request.child];
      child.node = child.via = part.request.child;
      child.seen_ms = part.request.received_ms;
    }
    part.request.reply({200, json::serialize(json::object{{"schema", kAnswerSchema},
                                                          {"received_ms", part.request.received_ms},
                                                          {"sent_ms", settings_.now_ms()},
                                                          {"results", std::move(results)}})});
  }
}

Receiver::Answer Receiver::take_state(const Request& request) {
  boost::system::error_code error;
  const auto parsed = json::parse(request.body, error);
  const auto* const nodes = !error && parsed.is_object() ? parsed.get_object().if_contains("nodes")
                                                         : nullptr;
  if (nodes == nullptr || !nodes->is_array() || nodes->get_array().size() > kMostStates) {
    note_bad(request.child);
    return problem(400, "no state, or a damaged one");
  }
  const std::lock_guard lock{mutex_};
  for (const auto& one : nodes->get_array()) {
    if (!one.is_object()) continue;
    const auto& object = one.get_object();
    const auto node = word_at(object, "node");
    if (node.empty() || !settings_.belongs(request.child, node)) continue;
    auto& state = states_[node];
    read_told(object, state);
    state.via = request.child;
    const auto age = static_cast<std::int64_t>(
        std::min(count_at(object, "age_ms"), std::uint64_t{1} << 50U));
    state.seen_ms = request.received_ms - age;
    state.offset_ms = offset_at(node == request.child ? parsed.get_object() : object);
  }
  return {200, json::serialize(json::object{{"schema", kAnswerSchema},
                                            {"received_ms", request.received_ms},
                                            {"sent_ms", settings_.now_ms()}})};
}

std::vector<NodeState> Receiver::states() const {
  const std::lock_guard lock{mutex_};
  std::vector<NodeState> all;
  for (const auto& [node, state] : states_) all.push_back(state);
  return all;
}

ReceiverCounts Receiver::counts() const {
  const std::lock_guard lock{mutex_};
  return counts_;
}

}  // namespace meiguan::uplink
