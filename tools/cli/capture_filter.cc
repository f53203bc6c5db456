#include "tools/cli/capture_filter.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <cstring>
#include <memory>

namespace meiguan::cli {
namespace {

constexpr int kAnyFrame = 65535;

struct Close {
  void operator()(pcap_t* handle) const noexcept { ::pcap_close(handle); }
};

struct Program {
  bpf_program code{};
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { ::pcap_freecode(&code); }
};

}  // namespace

Result<std::vector<channel::CaptureInstruction>> compile_filter(const std::string& text) {
  if (text.empty()) return std::vector<channel::CaptureInstruction>{};
  if (text.size() > kMaxFilterBytes) {
    return fail(fmt::format("the filter has {} bytes, at most {} are taken", text.size(),
                            kMaxFilterBytes),
                fmt::format("过滤表达式有 {} 字节，至多 {} 字节", text.size(), kMaxFilterBytes));
  }
  const std::unique_ptr<pcap_t, Close> handle{::pcap_open_dead(DLT_EN10MB, kAnyFrame)};
  Program program;
  if (handle == nullptr ||
      ::pcap_compile(handle.get(), &program.code, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    const char* const why = handle != nullptr ? ::pcap_geterr(handle.get()) : "out of memory";
    return fail(fmt::format("`{}` is no filter: {}; see pcap-filter(7)", text, why),
                fmt::format("`{}` 不是有效的过滤表达式：{}；参见 pcap-filter(7)", text, why));
  }
  if (program.code.bf_len > channel::kMaxCaptureInstructions) {
    return fail(fmt::format("the filter has {} instructions, at most {} are run for a packet: ask "
                            "for networks in place of single addresses",
                            program.code.bf_len, channel::kMaxCaptureInstructions),
                fmt::format("过滤器有 {} 条指令，每个报文至多执行 {} 条：请以网段代替逐个地址",
                            program.code.bf_len, channel::kMaxCaptureInstructions));
  }
  static_assert(sizeof(bpf_insn) == sizeof(channel::CaptureInstruction));
  std::vector<channel::CaptureInstruction> instructions(program.code.bf_len);
  std::memcpy(instructions.data(), program.code.bf_insns,
              instructions.size() * sizeof instructions[0]);
  return instructions;
}

}  // namespace meiguan::cli
