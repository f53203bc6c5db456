#include "controlplane/uplink/sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace meiguan::uplink {
namespace {

namespace json = boost::json;

constexpr std::string_view kBatchesType = "application/vnd.meiguan.batches";
constexpr std::chrono::milliseconds kLookEvery{1'000};
constexpr std::chrono::milliseconds kRetryFirst{500};

std::optional<std::int64_t> number_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  return std::nullopt;
}

std::string_view text_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view{value->get_string()}
                                                : std::string_view{};
}

}  // namespace

Sender::Sender(SenderSettings settings, Spool& spool, Post post, State state, NowMs now, Log log)
    : settings_{settings},
      spool_{spool},
      post_{std::move(post)},
      state_{std::move(state)},
      now_{std::move(now)},
      log_{std::move(log)} {
  if (settings_.bytes_per_second > 0) {
    settings_.group_bytes = std::min<std::size_t>(settings_.group_bytes,
                                                  settings_.bytes_per_second);
  }
}

void Sender::start(std::function<void()> cancel) {
  cancel_ = std::move(cancel);
  thread_ = std::thread{[this] { run(); }};
}

Sender::~Sender() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  if (cancel_) cancel_();
  thread_.join();
}

void Sender::wake() {
  {
    const std::lock_guard lock{mutex_};
    woken_ = true;
  }
  wake_.notify_all();
}

Sender::Status Sender::status() const {
  const std::lock_guard lock{mutex_};
  return status_;
}

void Sender::run() {
  auto retry = kRetryFirst;
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    lock.unlock();
    const auto done = round();
    lock.lock();
    if (done == Round::kFailed) {
      wake_.wait_for(lock, std::max(retry, pause()), [this] { return stopping_; });
      retry = std::min(2 * retry, settings_.retry_most);
      continue;
    }
    retry = kRetryFirst;
    if (done == Round::kIdle) {
      wake_.wait_for(lock, kLookEvery, [this] { return stopping_ || woken_; });
      woken_ = false;
    } else {
      wake_.wait_for(lock, pause(), [this] { return stopping_; });
    }
  }
}

void Sender::failed(const Text& why) {
  bool is_new = false;
  {
    const std::lock_guard lock{mutex_};
    is_new = status_.trouble_en != why.english;
    status_.connected = false;
    status_.trouble_en = why.english;
    status_.trouble_zh = why.chinese;
  }
  if (is_new) log_({"uplink: " + why.english, "上报：" + why.chinese});
}

std::chrono::milliseconds Sender::pause() const {
  if (settings_.bytes_per_second == 0) return {};
  return std::chrono::milliseconds{1'000 * sent_bytes_ / settings_.bytes_per_second};
}

Sender::Round Sender::round() {
  const auto now = now_();
  sent_bytes_ = 0;
  const auto every = settings_.state_every.count();
  // Also where the clock went back.
  if (state_at_ms_ < 0 || now - state_at_ms_ >= every || now < state_at_ms_) {
    const bool knew = status().offset_ms.has_value();
    if (!tell_state()) return Round::kFailed;
    // What this exchange was the first to say of the clocks, the parent hears at once.
    state_at_ms_ = knew || !status().offset_ms ? now : -1;
  }
  const auto sent = send_group();
  if (sent == Round::kFailed) state_at_ms_ = -1;
  return sent;
}

std::optional<json::object> Sender::ask(std::string_view target, std::string_view type,
                                        std::string_view body, unsigned& status) {
  status = 0;
  const auto answer = post_(target, type, body, settings_.answer_within);
  if (!answer) {
    failed(answer.error().message);
    return std::nullopt;
  }
  status = answer->status;
  boost::system::error_code error;
  auto parsed = json::parse(answer->body, error);
  if (answer->status == 200 && !error && parsed.is_object() &&
      text_at(parsed.get_object(), "schema") == kAnswerSchema) {
    return std::move(parsed.get_object());
  }
  std::string why;
  if (!error && parsed.is_object()) why = text_at(parsed.get_object(), "why").substr(0, 200);
  failed({fmt::format("the parent answered {} {}", answer->status, why),
          fmt::format("上级答复 {} {}", answer->status, why)});
  return std::nullopt;
}

bool Sender::tell_state() {
  auto state = state_();
  const auto sent = now_();
  state["schema"] = "meiguan.uplink-state/v1";
  state["sent_ms"] = sent;
  {
    const std::lock_guard lock{mutex_};
    if (status_.offset_ms) state["offset_ms"] = *status_.offset_ms;
  }
  unsigned status = 0;
  const auto answer = ask(kStateTarget, "application/json", json::serialize(state), status);
  if (!answer) return false;
  const auto heard = now_();
  const auto there = number_at(*answer, "received_ms");
  const auto back = number_at(*answer, "sent_ms");
  const std::lock_guard lock{mutex_};
  status_.connected = true;
  status_.heard_ms = heard;
  status_.trouble_en.clear();
  status_.trouble_zh.clear();
  // As NTP has it (RFC 5905 section 8); numbers that a parent made up must not overflow.
  constexpr std::int64_t kMost = std::int64_t{1} << 60;
  if (there && back && std::abs(*there) < kMost && std::abs(*back) < kMost) {
    status_.offset_ms = ((*there - sent) + (*back - heard)) / 2;
  }
  return true;
}

std::string Sender::with_declared(const Spool::Entry& entry) const {
  std::string_view rest = entry.record;
  const auto record = take_record(rest);
  if (!record) return {};
  const auto found = declared_.find({entry.stream, record->source()});
  if (found == declared_.end() || found->second.first != record->header.sequence) {
    return entry.record;
  }
  return with_lost(*record, found->second.second);
}

Sender::Round Sender::send_group() {
  auto entries = spool_.next(settings_.group_bytes);
  if (entries.size() > most_entries_) entries.resize(most_entries_);
  std::string body;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto bytes = with_declared(entries[i]);
    if (bytes.empty() && i == 0) {  // the disk has it no more
      spool_.done(entries[i], true);
      return Round::kSent;
    }
    if (bytes.empty()) {
      entries.resize(i);
      break;
    }
    body += bytes;
  }
  if (entries.empty()) return Round::kIdle;
  sent_bytes_ = body.size();
  unsigned status = 0;
  const auto answer = ask(kBatchesTarget, kBatchesType, body, status);
  if (!answer) {
    // One of them is what the parent cannot read: which, is found one by one.
    if (status == 400 && entries.size() == 1) spool_.done(entries[0], true);
    if (status == 400) most_entries_ = 1;
    return Round::kFailed;
  }
  most_entries_ = 1'000;
  if (take_results(entries, *answer)) return Round::kSent;
  failed({"the parent's answer is not what it should be", "上级的答复不符合格式"});
  return Round::kFailed;
}

bool Sender::take_results(const std::vector<Spool::Entry>& entries, const json::object& answer) {
  const auto* const results = answer.if_contains("results");
  if (results == nullptr || !results->is_array() || results->get_array().size() != entries.size()) {
    return false;
  }
  std::set<std::size_t> held;  // streams of which one must be sent again
  std::uint64_t have = 0;
  std::uint64_t lost = 0;
  bool moved = false;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& one = results->get_array()[i];
    if (!one.is_object()) return false;
    const auto is = text_at(one.get_object(), "is");
    if (held.contains(entries[i].stream)) continue;
    std::string_view rest = entries[i].record;
    const auto record = take_record(rest);
    if (!record) return false;
    const std::pair key{entries[i].stream, record->source()};
    if (is == "applied" || is == "before") {
      if (const auto found = declared_.find(key);
          found != declared_.end() && found->second.first == record->header.sequence) {
        lost += found->second.second;
        declared_.erase(found);
      }
      spool_.done(entries[i]);
      ++have;
      moved = true;
    } else if (is == "refused") {
      const std::string why{text_at(one.get_object(), "why").substr(0, 200)};
      log_({"uplink: the parent refuses a batch: " + why, "上报：上级拒收一个批次：" + why});
      spool_.done(entries[i], true);
      moved = true;
    } else if (is == "gap") {
      // What it waits for is not in the spool any more, or it would have come before.
      const auto expects = number_at(one.get_object(), "expects").value_or(0);
      const auto sequence = record->header.sequence;
      if (expects < 1 || static_cast<std::uint64_t>(expects) >= sequence) return false;
      const std::pair declared{sequence, sequence - static_cast<std::uint64_t>(expects)};
      const auto [found, is_new] = declared_.insert_or_assign(key, declared);
      moved = moved || is_new;
      held.insert(entries[i].stream);
    } else {
      return false;
    }
  }
  const std::lock_guard lock{mutex_};
  status_.sent += have;
  status_.declared_lost += lost;
  return moved;
}

}  // namespace meiguan::uplink
