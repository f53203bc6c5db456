// The capture that goes on: asked for, watched, ended.

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "dataplane/runtime/clock.h"
#include "dataplane/runtime/dataplane.h"
#include "dataplane/runtime/log.h"

namespace meiguan::runtime {

Result<Answer> Dataplane::begin_capture(const channel::Message& request) {
  if (workers_.empty()) {
    return fail("no image is in force, nothing is forwarded", "没有生效的映像，不转发任何报文");
  }
  if (capture_) {
    return fail("a capture goes on already; there is one at a time",
                "已有抓包在进行；同一时间只能有一个");
  }
  channel::CaptureRequest wish;
  const auto unfit = fail("the request for a capture is not as long as it says",
                          "抓包请求的长度与其声明不符");
  if (request.payload.size() < sizeof wish) return unfit;
  std::memcpy(&wish, request.payload.data(), sizeof wish);
  std::vector<channel::CaptureInstruction> program((request.payload.size() - sizeof wish) /
                                                   sizeof(channel::CaptureInstruction));
  if (program.size() != wish.instructions ||
      request.payload.size() != sizeof wish + program.size() * sizeof program[0]) {
    return unfit;
  }
  if (!program.empty()) {
    std::memcpy(program.data(), request.payload.data() + sizeof wish,
                program.size() * sizeof program[0]);
  }
  auto capture = Capture::begin(wish, program, static_cast<std::uint32_t>(workers_.size()),
                                monotonic_ms());
  if (!capture) return std::unexpected{capture.error()};
  capture_ = std::move(*capture);
  shared_.capture.store(capture_.get(), std::memory_order_release);
  log_info("a capture has begun", "抓包开始");
  Answer answer;
  answer.put(capture_->answer());
  answer.descriptors.push_back(capture_->descriptor());
  return answer;
}

void Dataplane::end_capture(channel::CaptureEnd why) {
  if (!capture_) return;
  shared_.capture.store(nullptr, std::memory_order_release);
  wait_for_workers();
  capture_->end(why);
  capture_.reset();
  log_info("the capture is over", "抓包结束");
}

Result<Answer> Dataplane::asked_to_end_capture() {
  end_capture(channel::CaptureEnd::kAsked);
  return Answer{};
}

void Dataplane::watch_capture(fastpath::Tick now) {
  if (!capture_) return;
  const auto why = capture_->look(now);
  if (why != channel::CaptureEnd::kGoesOn) end_capture(why);
}

}  // namespace meiguan::runtime
