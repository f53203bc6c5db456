// meiguan capture: packets of a running gateway, with what became of them, as a pcapng file.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>

#include "controlplane/api/protocol.h"
#include "controlplane/crypto/digest.h"
#include "dataplane/fastpath/reason.h"
#include "tools/cli/ask.h"
#include "tools/cli/capture_filter.h"
#include "tools/cli/pcapng.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

constexpr long kPauseNs = 100'000'000;  // between two looks at a quiet capture

struct Options {
  std::vector<std::string> filter;
  std::string at;
  std::string reason;
  std::string unit;
  std::string file;
  std::uint64_t count{0};  // 0: no limit
  std::uint32_t seconds{channel::kMaxCaptureSeconds};
  std::uint32_t snap{channel::kMaxSnapBytes};
};

volatile std::sig_atomic_t asked_to_end = 0;
extern "C" void ask_to_end(int) { asked_to_end = 1; }

// Ctrl-C ends a capture in good order: what was taken until then is written.
void hear_signals() {
  struct sigaction action {};
  action.sa_handler = ask_to_end;  // without SA_RESTART, so that a pause ends
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

// Nobody else may read what is in packets. -1, with a message.
int open_file(const Context& context, const std::string& path) {
  if (path == "-") {
    if (::isatty(STDOUT_FILENO) == 1) {
      complain(context, {"standard output is a terminal: pipe it on, or name a file with -w",
                         "标准输出是终端：请用管道，或用 -w 指定文件"});
      return -1;
    }
    return ::dup(STDOUT_FILENO);
  }
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    const std::string why = std::strerror(errno);
    complain(context, {path + ": " + why, path + "：" + why});
  }
  return descriptor;
}

json::object request_of(const Options& options, const std::string& filter,
                        const std::vector<channel::CaptureInstruction>& program) {
  json::object request{{"command", "capture"},
                       {"at", options.at},
                       {"seconds", options.seconds},
                       {"snap", options.snap}};
  if (!options.reason.empty()) request.emplace("reason", options.reason);
  if (!options.unit.empty()) request.emplace("unit", options.unit);
  if (!filter.empty()) {
    request.emplace("filter", filter);
    // What is run: the audit log has it, whatever the text beside it says.
    request.emplace("program", crypto::base64({reinterpret_cast<const char*>(program.data()),
                                               program.size() * sizeof program[0]}));
  }
  return request;
}

std::uint64_t number_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  boost::system::error_code error;
  return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>(error) : 0;
}

// `default-deny; unit czj-360121; in lan; space shared`
std::string comment_of_row(const json::object& row, std::string_view interface_key) {
  const auto step = api::string_at(row, "step");
  std::string comment = step == "held"  ? "fragment, waits for the others of its datagram"
                        : step == "own" ? "the gateway's own"
                                        : comment_of(api::string_at(row, "reason"),
                                                     api::string_at(row, "rule"));
  for (const char* const key : {"unit", "to_unit", "service", "in", "out", "space"}) {
    const auto text = api::string_at(row, key);
    if (text.empty() || key == interface_key) continue;
    comment += fmt::format("; {} {}", key, text);
  }
  return comment;
}

void write_row(PcapngFile& file, const json::object& row, bool sent) {
  const auto frame = crypto::from_base64(api::string_at(row, "data")).value_or("");
  const char* const key = sent ? "out" : "in";
  const auto port = api::string_at(row, key);
  const auto comment = comment_of_row(row, key);
  // reinterpret_cast: characters as bytes.
  const std::span bytes{reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()};
  file.write(
      {.interface = port.empty() ? std::string_view{"unknown"} : std::string_view{port},
       .nanoseconds = number_at(row, "time"),
       .frame = bytes,
       .original_bytes = static_cast<std::uint32_t>(number_at(row, "bytes")),
       .direction = sent ? PcapngPacket::Direction::kOutbound : PcapngPacket::Direction::kInbound,
       .comment = comment});
}

// What is said at the end, and the exit code.
int ended(const Context& context, std::string_view why, std::uint64_t packets, std::uint64_t lost) {
  note(context,
       {fmt::format("{} packets captured", packets), fmt::format("已抓取 {} 个报文", packets)});
  if (lost != 0) {
    note(context,
         {fmt::format("{} more were not taken, because they came faster than they were written: "
                      "ask for less, by a filter or a smaller --snap",
                      lost),
          fmt::format("另有 {} 个未抓取，因为来得比写得快：请用过滤表达式或较小的 --snap 缩小范围",
                      lost)});
  }
  if (why == "silence") {
    complain(context, {"the capture was ended before: nobody had read it for 5 s",
                       "抓包已提前结束：5 秒内无人读取"});
    return kCouldNotAsk;
  }
  if (why == "reopened") {
    complain(context, {"the capture was ended before: the data plane stopped, or opened its ports "
                       "anew",
                       "抓包已提前结束：数据面停止，或重新打开了端口"});
    return kCouldNotAsk;
  }
  return kYes;
}

int run(const Context& context, const Options& options) {
  if (!context.format({Format::kTable})) return kBadInput;
  std::string filter;
  for (const auto& word : options.filter) filter += (filter.empty() ? "" : " ") + word;
  const auto program = compile_filter(filter);
  if (!program) {
    complain(context, program.error().message);
    return kBadInput;
  }
  const int descriptor = open_file(context, options.file);
  if (descriptor < 0) return kBadInput;
  PcapngFile file{descriptor, options.file == "-" ? "standard output" : options.file};
  file.flush();
  hear_signals();
  const auto begun = ask(context, request_of(options, filter, *program));
  if (!begun) return begun.error();
  const json::string token{api::string_at(*begun, "token")};
  const auto end = [&] {
    return ask(context, {{"command", "capture-end"}, {"token", token}}).has_value();
  };

  std::uint64_t packets = 0;
  bool ending = false;
  for (;;) {
    if (asked_to_end != 0 && !std::exchange(ending, true)) static_cast<void>(end());
    const auto answer = ask(context, {{"command", "capture-read"}, {"token", token}});
    if (!answer) return answer.error();
    const auto* const rows = answer->if_contains("packets");
    for (const auto& row :
         rows != nullptr && rows->is_array() ? rows->get_array() : json::array{}) {
      if (options.count != 0 && packets == options.count) break;
      if (!row.is_object()) continue;
      write_row(file, row.get_object(), options.at == "tx");
      ++packets;
    }
    file.flush();
    const auto lost = number_at(*answer, "lost");
    const auto why = api::string_at(*answer, "ended");
    if (!why.empty()) return ended(context, why, packets, lost);
    if (options.count != 0 && packets == options.count) {
      static_cast<void>(end());
      return ended(context, "asked", packets, lost);
    }
    if (const auto* const more = answer->if_contains("more");
        more && more->is_bool() && more->get_bool()) {
      continue;
    }
    const timespec pause{0, kPauseNs};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace

void add_capture_command(CLI::App& app, Context& context, Action& chosen) {
  const auto options = std::make_shared<Options>();
  auto* const command = app.add_subcommand(
      "capture", context.tr("capture packets of the running gateway, with what became of them",
                            "抓取运行中网关的报文，并注明处理结果"));
  command->add_option("filter", options->filter,
                      context.tr("which packets, as tcpdump has it (pcap-filter(7)); all without; "
                                 "tagged frames need `vlan and …`",
                                 "抓哪些报文，写法同 tcpdump（pcap-filter(7)）；缺省为全部；带 "
                                 "VLAN 标签的帧须写 `vlan and …`"));
  command
      ->add_option("--at", options->at,
                   context.tr("where: as received, as sent (after translation), or what is dropped "
                              "as it was received",
                              "抓取位置：接收时、发送时（地址转换后），或被丢弃报文接收时的内容"))
      ->required()
      ->check(CLI::IsMember({"rx", "tx", "drop"}));
  std::vector<std::string> reasons;
  for (const auto& info : fastpath::kReasons) reasons.emplace_back(info.name);
  command
      ->add_option("--reason", options->reason,
                   context.tr("only what ended with this reason", "只抓以此原因结束的报文"))
      ->check(CLI::IsMember(reasons));
  command->add_option("--unit", options->unit,
                      context.tr("only packets from or to this unit",
                                 "只抓该单位发出或收到的报文"));
  command
      ->add_option("-c,--count", options->count,
                   context.tr("end after so many packets", "抓满此数后结束"))
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--seconds", options->seconds,
                   context.tr("end after so many seconds, a day at most", "多少秒后结束，至多一天"))
      ->check(CLI::Range(1U, channel::kMaxCaptureSeconds));
  command
      ->add_option("-s,--snap", options->snap,
                   context.tr("bytes of each packet at most", "每个报文至多抓取的字节数"))
      ->check(CLI::Range(channel::kLeastSnapBytes, channel::kMaxSnapBytes));
  command
      ->add_option("-w,--write", options->file,
                   context.tr("the pcapng file, - is standard output", "pcapng 文件，- 为标准输出"))
      ->required();
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
