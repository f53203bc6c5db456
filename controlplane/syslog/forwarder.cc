#include "controlplane/syslog/forwarder.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <fstream>
#include <iterator>
#include <utility>

#include "controlplane/audit/record.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::syslog {
namespace {

namespace json = boost::json;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMostUnconfirmed = 4096;  // marks; beyond, fewer and coarser ones
constexpr std::chrono::seconds kKeepEvery{1};

std::int64_t wall_milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A member of a record without reading all of it: the values in front are plain words.
std::string_view member(std::string_view line, std::string_view name) {
  const auto key = fmt::format(",\"{}\":\"", name);
  const auto at = line.find(key);
  if (at == line.npos) return {};
  const auto value = line.substr(at + key.size());
  return value.substr(0, value.find('"'));
}

Message message_of(const Record& record) {
  const auto outcome = member(record.line, "outcome");
  const bool is_bad = outcome == "refused" || outcome == "failed";
  Message message;
  message.severity = is_bad ? Severity::kWarning : Severity::kNotice;
  message.milliseconds = audit::time_of(member(record.line, "time")).value_or(wall_milliseconds());
  message.id = member(record.line, "event");
  message.data = {{"n", std::to_string(record.number)}, {"outcome", std::string{outcome}}};
  message.text = record.line;
  return message;
}

}  // namespace

std::uint64_t read_position(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc{} && end != text.data() + text.size() && *end == '\n';
  return is_whole ? number : 0;
}

Forwarder::Forwarder(Settings settings, Places places, Sender sender, std::unique_ptr<Link> link,
                     Note note, Timing timing)
    : settings_{std::move(settings)},
      places_{std::move(places)},
      sender_{std::move(sender)},
      note_{std::move(note)},
      timing_{timing},
      link_{std::move(link)},
      events_{settings_.events_per_second},
      reader_{places_.log, read_position(places_.position)} {
  confirmed_ = kept_ = read_position(places_.position);
  state_.name = settings_.name;
  thread_ = std::thread{[this] { run(); }};
}

Forwarder::~Forwarder() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  link_->cancel();
  thread_.join();
}

Forwarder::State Forwarder::state() const {
  const std::lock_guard lock{mutex_};
  return state_;
}

bool Forwarder::pause(std::chrono::milliseconds time) {
  std::unique_lock lock{mutex_};
  return !wake_.wait_for(lock, time, [&] { return stopping_; });
}

void Forwarder::run() {
  auto retry = timing_.first_retry;
  while (pause(std::chrono::milliseconds{0})) {
    if (auto connected = link_->connect(timing_.answer); !connected) {
      note_state(false, connected.error().message);
    } else {
      const auto since = Clock::now();
      serve();
      // A server that takes the connection and drops it at once is not asked all the time.
      if (Clock::now() - since > timing_.last_retry) retry = timing_.first_retry;
    }
    // What may not have come is sent again.
    unconfirmed_.clear();
    reader_.go_to(confirmed_);
    keep_position();
    for (auto left = retry; left.count() > 0; left -= timing_.look) {
      note_if_due();
      if (!pause(std::min(left, timing_.look))) break;
    }
    retry = std::min(retry * 2, timing_.last_retry);
  }
  keep_position();
}

// Until the connection is lost.
void Forwarder::serve() {
  bool is_noted = false;
  const auto since = Clock::now();
  for (;;) {
    auto done = link_->alive();
    bool sent = false;
    for (const auto step :
         {&Forwarder::send_records, &Forwarder::send_events, &Forwarder::send_summary}) {
      if (!done) break;
      auto result = (this->*step)();
      if (!result) {
        done = std::unexpected{result.error()};
      } else {
        sent = sent || *result;
      }
    }
    if (!done) {
      // Being told to stop is no loss.
      if (pause(std::chrono::milliseconds{0})) note_state(false, done.error().message);
      return;
    }
    // A datagram that nobody takes, a certificate that is refused: that is told of a little later.
    if (!is_noted && Clock::now() - since >= timing_.look && link_->alive()) {
      note_state(true, {});
      is_noted = true;
    }
    confirm();
    note_if_due();
    if (!pause(sent ? std::chrono::milliseconds{0} : timing_.look)) return;
  }
}

Result<void> Forwarder::send(const Message& message) {
  return link_->send(to_line(message, sender_), timing_.answer);
}

Result<bool> Forwarder::send_records() {
  const auto batch = reader_.read(kBatch);
  if (batch.began_anew) confirmed_ = gap_counted_ = 0;
  if (batch.lost > 0) {
    Message gap;
    gap.severity = Severity::kError;
    gap.milliseconds = wall_milliseconds();
    gap.id = "syslog-lost";
    gap.data = {{"lost", std::to_string(batch.lost)}};
    gap.text = fmt::format("{} audit records were removed before they could be sent", batch.lost);
    if (auto sent = send(gap); !sent) return std::unexpected{sent.error()};
  }
  // After a loss of the connection the same gap is met, and sent, again.
  const bool is_new_gap = batch.lost > 0 && batch.records.back().number > gap_counted_;
  if (is_new_gap) {
    gap_counted_ = batch.records.back().number;
    note_("syslog-lost", {{"server", settings_.name}, {"lost", batch.lost}});
  }
  for (const auto& record : batch.records) {
    if (auto sent = send(message_of(record)); !sent) return std::unexpected{sent.error()};
  }
  if (!batch.records.empty()) {
    const Sent mark{Clock::now(), batch.records.back().number};
    if (unconfirmed_.size() >= kMostUnconfirmed) unconfirmed_.pop_back();
    unconfirmed_.push_back(mark);
  }
  const auto waiting = reader_.behind();
  const std::lock_guard lock{mutex_};
  if (is_new_gap) state_.lost += batch.lost;
  state_.waiting = waiting;
  return !batch.records.empty();
}

Result<bool> Forwarder::send_events() {
  auto messages = events_.take();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto sent = send(messages[i]);
    if (sent) continue;
    messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(i));
    events_.put_back(std::move(messages));
    return std::unexpected{sent.error()};
  }
  return !messages.empty();
}

Result<bool> Forwarder::send_summary() {
  const auto now = Clock::now();
  if (now - summed_at_ < timing_.summary_every) return false;
  summed_at_ = now;
  const auto all = events_.take_suppressed();
  const auto& denials = all[static_cast<std::size_t>(EventKind::kDenial)];
  const auto& attacks = all[static_cast<std::size_t>(EventKind::kAttack)];
  if (denials.events + attacks.events == 0) return false;
  Message summary;
  summary.facility = Facility::kSecurity;
  summary.severity = Severity::kWarning;
  summary.milliseconds = wall_milliseconds();
  summary.id = "suppressed";
  summary.data = {{"denials", std::to_string(denials.events)},
                  {"denied_packets", std::to_string(denials.packets)},
                  {"attacks", std::to_string(attacks.events)},
                  {"attack_packets", std::to_string(attacks.packets)}};
  summary.text = fmt::format("not told of one by one: {} denials of {} packets, {} of attacks",
                             denials.events, denials.packets, attacks.events);
  if (auto sent = send(summary); !sent) {
    events_.put_back(all);
    return std::unexpected{sent.error()};
  }
  const std::lock_guard lock{mutex_};
  state_.suppressed += denials.events + attacks.events;
  return true;
}

void Forwarder::confirm() {
  if (!link_->is_settled()) return;
  const auto now = Clock::now();
  while (!unconfirmed_.empty() && now - unconfirmed_.front().at >= timing_.settled) {
    confirmed_ = unconfirmed_.front().number;
    unconfirmed_.pop_front();
  }
  if (now - kept_at_ >= kKeepEvery) keep_position();
}

void Forwarder::keep_position() {
  if (confirmed_ == kept_) return;
  kept_at_ = Clock::now();
  std::error_code error;
  std::filesystem::create_directories(places_.position.parent_path(), error);
  const auto text = fmt::format("{}\n", confirmed_);
  // A position that could not be kept only makes that more is sent again.
  if (lifecycle::write_atomically(places_.position, std::string_view{text}, 0640)) {
    kept_ = confirmed_;
  }
}

void Forwarder::note_state(bool is_up, const Text& why) {
  const auto waiting = reader_.behind();
  {
    const std::lock_guard lock{mutex_};
    if (state_.is_up != is_up) ++changes_;
    state_.is_up = is_up;
    state_.why = why;
    state_.waiting = waiting;
  }
  note_if_due();
}

void Forwarder::note_if_due() {
  const auto now = Clock::now();
  const auto current = state();
  if (noted_up_ == current.is_up || (!current.is_up && current.why.english.empty())) return;
  auto& last = noted_at_[current.is_up ? 1 : 0];
  if (last && now - *last < timing_.note_every) return;
  noted_up_ = current.is_up;
  last = now;
  json::object detail{{"server", settings_.name}};
  if (changes_ > 1) detail.emplace("changes", std::exchange(changes_, 0));
  changes_ = 0;
  if (current.is_up) {
    note_("syslog-up", std::move(detail));
  } else {
    detail.emplace("why", current.why.english);
    note_("syslog-down", std::move(detail));
  }
}

}  // namespace meiguan::syslog
