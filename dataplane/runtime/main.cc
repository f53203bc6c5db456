// meiguan-dataplane: the process that forwards packets.

#include <fmt/format.h>
#include <sys/signalfd.h>

#include <csignal>

#include "dataplane/base/service_manager.h"
#include "dataplane/runtime/cores.h"
#include "dataplane/runtime/dataplane.h"
#include "dataplane/runtime/descriptor.h"
#include "dataplane/runtime/eal.h"
#include "dataplane/runtime/log.h"
#include "dataplane/runtime/options.h"
#include "dataplane/runtime/segments.h"

namespace meiguan::runtime {
namespace {

int end_with(const Failure& failure) {
  log(Level::kError, failure.message);
  return failure.exit_code;
}

// SIGTERM and SIGINT as something to read; blocked for this thread and all that come after it.
Descriptor open_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return Descriptor{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
}

// --check: all that can be known without taking a port.
Outcome<void> check(const Options& options, const CorePlan& cores) {
  if (auto memory = check_memory(options); !memory) return memory;
  const auto first = first_image(options);
  if (!first) return std::unexpected{first.error()};
  const bool from_state = first->is_last;
  if (const auto blocks = options.state_dir / kLastBlocks; std::filesystem::exists(blocks)) {
    auto list = LoadedBlocks::from_file(blocks, 1, !options.no_huge);
    if (!list) return configuration(list.error());
  }
  if (first->loaded == nullptr) {
    log_info("no image: the data plane would wait for the control plane to publish one",
             "没有映像：数据面将等待控制面发布");
    return {};
  }
  const image::Image& image = first->loaded->image();
  if (auto fits = check_capacity(image, fastpath::CounterCapacity{}); !fits) return fits;
  if (image.meta().workers > cores.workers.size()) {
    return configuration(
        fmt::format("the gateway file asks for {} workers, but there are cores for {}",
                    image.meta().workers, cores.workers.size()),
        fmt::format("网关文件要求 {} 个工作线程，但只有 {} 个核可用", image.meta().workers,
                    cores.workers.size()));
  }
  for (const Device::Wanted& device : wanted_devices(image)) {
    if (auto good = Device::check(device); !good) return good;
  }
  log_info(fmt::format("image {:016x}{} can be put in force on {} workers", image.checksum(),
                       from_state ? " (the last good one)" : "", image.meta().workers),
           fmt::format("映像 {:016x}{} 可以生效，工作线程 {} 个", image.checksum(),
                       from_state ? "（上次生效的映像）" : "", image.meta().workers));
  return {};
}

int run(const Options& options) {
  auto cores = plan_cores(allowed_cores(), options.main_core, options.worker_cores);
  if (!cores) return end_with(cores.error());
  if (options.check) {
    const auto good = check(options, *cores);
    return good ? 0 : end_with(good.error());
  }
  if (cores->shared) {
    log_warning("a worker shares its core with another thread; packets will wait for it",
                "工作线程与其他线程共用一个核，报文处理会有等待");
  }
  const Descriptor signals = open_signals();
  auto eal = Eal::start(options, *cores);
  if (!eal) return end_with(eal.error());
  auto segments = Segments::create(static_cast<std::uint32_t>(cores->workers.size()),
                                   fastpath::CounterCapacity{}, options.flows, options.events);
  if (!segments) return end_with(segments.error());

  Dataplane dataplane{options, std::move(*segments)};
  if (auto started = dataplane.start(); !started) return end_with(started.error());
  dataplane.run(signals.get());
  tell_service_manager("STOPPING=1");
  log_info("ending: ports are closed, nothing is forwarded any more",
           "正在结束：端口已关闭，不再转发");
  return 0;
}

}  // namespace
}  // namespace meiguan::runtime

int main(int argc, char** argv) {
  using namespace meiguan::runtime;
  const CommandLine line = read_command_line(argc, argv);
  if (!line.proceed) return line.exit_code;
  set_log(line.options.language, line.options.log_level);
  return run(line.options);
}
