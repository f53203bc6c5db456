#include "dataplane/runtime/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace meiguan::runtime {
namespace {

Language g_language{Language::kEnglish};

spdlog::level::level_enum level_of(Level level) noexcept {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: break;
  }
  return spdlog::level::err;
}

}  // namespace

void set_log(Language language, Level least) {
  g_language = language;
  auto logger = spdlog::get("meiguan-dataplane");
  if (!logger) logger = spdlog::stderr_logger_mt("meiguan-dataplane");
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
  logger->set_level(level_of(least));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void log(Level level, const Text& text) { spdlog::log(level_of(level), "{}", text.in(g_language)); }

}  // namespace meiguan::runtime
