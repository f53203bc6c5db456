#include "dataplane/runtime/eal.h"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace meiguan::runtime {
namespace {

constexpr std::uint64_t kMb = 1U << 20;
constexpr std::uint64_t kLeastHugeMb = 256;
constexpr std::uint32_t kDefaultSmallPagesMb = 512;

std::uint64_t free_huge_bytes() {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{"/sys/kernel/mm/hugepages", error}) {
    // hugepages-2048kB
    const std::string name = entry.path().filename().string();
    const std::size_t dash = name.find('-');
    if (dash == std::string::npos) continue;
    std::uint64_t pages = 0;
    std::ifstream{entry.path() / "free_hugepages"} >> pages;
    bytes += pages * std::strtoull(name.c_str() + dash + 1, nullptr, 10) * 1024;
  }
  return bytes;
}

// What data planes left behind that were killed: DPDK's run-time directories of processes that are
// no more.
void clear_leftovers(const std::filesystem::path& beside) {
  constexpr std::string_view kPrefix = "meiguan-";
  std::error_code error;
  std::vector<std::filesystem::path> left;
  for (std::filesystem::directory_iterator at{beside.parent_path(), error};
       !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    int process = 0;
    const char* const end = name.data() + name.size();
    const auto [stop, bad] = std::from_chars(name.data() + kPrefix.size(), end, process);
    if (bad != std::errc{} || stop != end || process <= 0) continue;
    if (::kill(process, 0) != 0 && errno == ESRCH) left.push_back(at->path());
  }
  for (const auto& path : left) std::filesystem::remove_all(path, error);
}

}  // namespace

Outcome<void> check_memory(const Options& options) {
  if (options.no_huge) return {};
  const std::uint64_t needed = (options.memory_mb != 0 ? options.memory_mb : kLeastHugeMb) * kMb;
  const std::uint64_t free = free_huge_bytes();
  if (free >= needed) return {};
  return environment(
      fmt::format("only {} MB of huge pages are free, {} MB are needed: reserve them with "
                  "'sysctl vm.nr_hugepages={}', or run with --no-huge (slower)",
                  free / kMb, needed / kMb, needed / kMb / 2 + 256),
      fmt::format("空闲大页仅 {} MB，需要 {} MB：请用 sysctl vm.nr_hugepages={} 预留，"
                  "或加 --no-huge 运行（较慢）",
                  free / kMb, needed / kMb, needed / kMb / 2 + 256));
}

Outcome<Eal> Eal::start(const Options& options, const CorePlan& cores) {
  if (auto memory = check_memory(options); !memory) return std::unexpected{memory.error()};

  const std::string prefix = options.file_prefix.empty() ? fmt::format("meiguan-{}", ::getpid())
                                                         : options.file_prefix;
  std::string lcores = fmt::format("0@{}", cores.main);
  for (std::size_t i = 0; i < cores.workers.size(); ++i) {
    lcores += fmt::format(",{}@{}", i + 1, cores.workers[i]);
  }
  std::vector<std::string> arguments{
      "meiguan-dataplane",
      "--lcores",
      lcores,
      "--main-lcore",
      "0",
      "--no-telemetry",
      "--file-prefix",
      prefix,
      // No device but those that the image names.
      "--allow",
      "0000:00:00.0",
      fmt::format("--log-level=*:{}", options.log_level == Level::kDebug ? "info" : "warning"),
      // Which kinds of huge pages there are not is no news.
      fmt::format("--log-level=lib.eal:{}", options.log_level == Level::kDebug ? "info" : "error"),
  };
  std::uint32_t megabytes = options.memory_mb;
  if (options.no_huge) {
    // DPDK has small pages only in its old way of holding memory, which --in-memory is not.
    arguments.emplace_back("--no-huge");
    arguments.emplace_back("--no-shconf");
    if (megabytes == 0) megabytes = kDefaultSmallPagesMb;
  } else {
    arguments.emplace_back("--in-memory");
  }
  if (megabytes != 0) {
    arguments.emplace_back("-m");
    arguments.push_back(std::to_string(megabytes));
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  if (::rte_eal_init(static_cast<int>(arguments.size()), argv.data()) >= 0) {
    clear_leftovers(::rte_eal_get_runtime_dir());
    // A directory of a prefix that was given may be in use by other processes, too.
    return Eal{options.file_prefix.empty() ? ::rte_eal_get_runtime_dir() : ""};
  }
  const int error = rte_errno;
  if (options.file_prefix.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(::rte_eal_get_runtime_dir(), ignored);
  }
  if (error == EACCES || error == EPERM) {
    return environment(
        "no permission for packet memory or devices: run as root, or with CAP_NET_ADMIN, "
        "CAP_NET_RAW, CAP_SYS_NICE and CAP_IPC_LOCK",
        "没有使用报文内存或设备的权限：请以 root 运行，或授予 CAP_NET_ADMIN、CAP_NET_RAW、"
        "CAP_SYS_NICE、CAP_IPC_LOCK");
  }
  if (error == ENOMEM) {
    return environment(
        "no room for packet memory: reserve more huge pages (vm.nr_hugepages), give a smaller "
        "--memory, or run with --no-huge",
        "报文内存不足：请增加大页（vm.nr_hugepages）、减小 --memory，或加 --no-huge 运行");
  }
  return environment(fmt::format("DPDK does not start: {}; its own messages stand above",
                                 ::rte_strerror(error)),
                     fmt::format("DPDK 无法启动：{}；详见上方 DPDK 的输出", ::rte_strerror(error)));
}

Eal::Eal(Eal&& other) noexcept
    : run_dir_{std::move(other.run_dir_)}, up_{std::exchange(other.up_, false)} {}

Eal::~Eal() {
  if (!up_) return;
  ::rte_eal_cleanup();
  if (run_dir_.empty()) return;
  // DPDK leaves its run-time directory behind.
  std::error_code error;
  std::filesystem::remove_all(run_dir_, error);
}

}  // namespace meiguan::runtime
