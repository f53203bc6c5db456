#pragma once

// The child's side: takes what waits in the spool to the parent, alarms first, then denials, and
// tells how this node and those below it are. A batch leaves the spool when the parent says that it
// has it.

#include <atomic>
#include <boost/json/object.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "controlplane/uplink/spool.h"
#include "controlplane/web/https_client.h"
#include "dataplane/base/result.h"

namespace meiguan::uplink {

inline constexpr std::string_view kBatchesTarget = "/uplink/v1/batches";
inline constexpr std::string_view kStateTarget = "/uplink/v1/state";
inline constexpr std::string_view kAnswerSchema = "meiguan.uplink/v1";

struct SenderSettings {
  // Of batches; 0: no cap. A group is then a second's at most, so that what is urgent does not
  // wait long behind one.
  std::uint64_t bytes_per_second{0};
  std::size_t group_bytes{std::size_t{512} << 10};
  std::chrono::milliseconds answer_within{30'000};
  std::chrono::milliseconds state_every{15'000};
  std::chrono::milliseconds retry_most{30'000};
};

class Sender {
 public:
  using Post =
      std::function<Result<web::Answer>(std::string_view target, std::string_view type,
                                        std::string_view body, std::chrono::milliseconds within)>;
  // The members of a state: "nodes", this one and those below.
  using State = std::function<boost::json::object()>;
  using NowMs = std::function<std::int64_t()>;  // since 1970
  using Log = std::function<void(const Text&)>;

  struct Status {
    bool connected{false};
    std::int64_t heard_ms{0};               // when the parent last answered, since 1970; 0: never
    std::optional<std::int64_t> offset_ms;  // that the parent's clock is ahead of ours
    std::uint64_t sent{0};                  // batches that the parent has
    std::uint64_t declared_lost{0};         // batches that the parent was told not to wait for
    std::string trouble_en;                 // why it is not connected
    std::string trouble_zh;
  };

  Sender(SenderSettings settings, Spool& spool, Post post, State state, NowMs now, Log log);
  // `cancel` ends what `post` waits for.
  void start(std::function<void()> cancel);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // There is something new in the spool.
  void wake();
  [[nodiscard]] Status status() const;

  enum class Round : std::uint8_t { kIdle, kSent, kFailed };
  // One exchange: a state where it is due, or a group of batches. For the thread, and for tests.
  Round round();
  // How long the cap wants nothing sent after the last round.
  [[nodiscard]] std::chrono::milliseconds pause() const;

 private:
  void run();
  [[nodiscard]] bool tell_state();
  [[nodiscard]] Round send_group();
  [[nodiscard]] std::optional<boost::json::object> ask(std::string_view target,
                                                       std::string_view type, std::string_view body,
                                                       unsigned& status);
  [[nodiscard]] bool take_results(const std::vector<Spool::Entry>& entries,
                                  const boost::json::object& answer);
  [[nodiscard]] std::string with_declared(const Spool::Entry& entry) const;
  void failed(const Text& why);

  SenderSettings settings_;
  Spool& spool_;
  Post post_;
  State state_;
  NowMs now_;
  Log log_;
  std::function<void()> cancel_;
  std::map<std::pair<std::size_t, std::string>, std::pair<std::uint64_t, std::uint64_t>> declared_;
  std::int64_t state_at_ms_{-1};
  std::size_t most_entries_{1'000};
  std::size_t sent_bytes_{0};  // of the last round
  mutable std::mutex mutex_;   // of what follows
  std::condition_variable wake_;
  bool woken_{false};
  bool stopping_{false};
  Status status_;
  std::thread thread_;
};

}  // namespace meiguan::uplink
