#include "tools/cli/replay_inputs.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <utility>

#include "controlplane/analysis/names.h"

namespace meiguan::cli {
namespace {

std::string packets(std::uint64_t n) { return fmt::format("{} packet{}", n, n == 1 ? "" : "s"); }

const char* truncated_sentence = "";

void on_bus_error(int) {
  // Only calls that a signal handler may make.
  static_cast<void>(!::write(STDERR_FILENO, truncated_sentence, std::strlen(truncated_sentence)));
  ::_exit(kBadInput);
}

}  // namespace

void open_input(const Context& context, const std::string& path, PortId port,
                std::vector<analysis::ReplayInput>& inputs) {
  auto file = analysis::CaptureFile::open(path);
  if (!file) {
    const auto& message = file.error().message;
    complain(context, {path + ": " + message.english, path + "：" + message.chinese});
    return;
  }
  inputs.push_back({std::filesystem::path{path}.filename().string(), std::move(*file), port});
}

std::optional<std::vector<ReplaySource>> find_sources(const Context& context,
                                                      const lifecycle::Bundle& bundle,
                                                      const std::vector<std::string>& in) {
  const analysis::Names names{bundle.compiled.catalog};
  std::vector<ReplaySource> sources;
  for (const auto& text : in) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      complain(context, {fmt::format("--in: `{}` is not PORT=FILE", text),
                         fmt::format("--in：`{}` 不是 PORT=FILE", text)});
      return std::nullopt;
    }
    const auto name = text.substr(0, equals);
    const auto port = names.find_port(name);
    if (!port) {
      std::string known;
      for (const auto& one : bundle.compiled.catalog.ports) {
        known += (known.empty() ? "" : ", ") + one.name;
      }
      complain(context, {fmt::format("--in: the gateway has no port `{}`; it has: {}", name, known),
                         fmt::format("--in：网关没有端口 `{}`；有：{}", name, known)});
      return std::nullopt;
    }
    const auto parent = bundle.image.ports()[port->index()].parent;
    if (parent != port->value()) {
      const auto parent_name = names.port_name(PortId{parent});
      complain(context,
               {fmt::format("--in: {} is a sub-port; tagged frames arrive by its parent, {}", name,
                            parent_name),
                fmt::format("--in：{} 是子端口；带标签的帧从其父端口 {} 进入", name, parent_name)});
      return std::nullopt;
    }
    sources.push_back({text.substr(equals + 1), *port});
  }
  return sources;
}

bool report_input(const Context& context, const analysis::ReplayInput& input) {
  const auto say = [&](const std::string& english, const std::string& chinese) {
    complain(context, {input.name + ": " + english, input.name + "：" + chinese});
  };
  const auto tell = [&](const std::string& english, const std::string& chinese) {
    note(context, {input.name + ": " + english, input.name + "：" + chinese});
  };
  const auto& counts = input.file.counts();
  if (counts.other_link_type > 0) {
    say(fmt::format("passed over {} of an interface that is not Ethernet",
                    packets(counts.other_link_type)),
        fmt::format("{} 个报文所属接口不是以太网，已略过", counts.other_link_type));
  }
  if (counts.unknown_interface > 0) {
    say(fmt::format("passed over {} of an interface that the capture does not describe",
                    packets(counts.unknown_interface)),
        fmt::format("{} 个报文所属接口未在抓包中说明，已略过", counts.unknown_interface));
  }
  if (input.file.fault()) {
    const auto& message = input.file.fault()->message;
    say(message.english + "; what came before it was judged",
        message.chinese + "；此前的报文已判定");
  }
  if (counts.cut > 0) {
    tell(fmt::format("judged {} on what is there: cut short when captured", packets(counts.cut)),
         fmt::format("{} 个报文在抓包时被截短，按现有内容判定", counts.cut));
  }
  if (input.guessed > 0) {
    tell(fmt::format("guessed the port of {}: no route back to the source tells it",
                     packets(input.guessed)),
         fmt::format("{} 个报文的入端口为推测：没有返回源地址的路由可以确定", input.guessed));
  }
  return input.file.fault().has_value() || counts.passed_over() > 0;
}

void expect_truncation(const Context& context) {
  truncated_sentence = context.tr("meiguan: error: a capture was truncated while it was read\n",
                                  "meiguan: 错误：抓包文件在读取时被截短\n");
  struct sigaction action {};
  action.sa_handler = on_bus_error;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace meiguan::cli
