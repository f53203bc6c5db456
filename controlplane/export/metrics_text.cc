#include "controlplane/export/metrics_text.h"

#include <utility>

namespace meiguan::exporting {
namespace {

// Of a label's value and of a help line: what would end it is escaped.
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view word(MetricType type, MetricsFormat format) {
  switch (type) {
    case MetricType::kCounter: return "counter";
    case MetricType::kGauge: return "gauge";
    case MetricType::kInfo: break;
  }
  return format == MetricsFormat::kOpenMetrics ? "info" : "gauge";
}

std::string_view suffix(MetricType type) {
  return type == MetricType::kCounter ? "_total" : type == MetricType::kInfo ? "_info" : "";
}

}  // namespace

std::string_view content_type(MetricsFormat format) noexcept {
  return format == MetricsFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

MetricsFormat format_for(std::string_view accept) noexcept {
  return accept.find("application/openmetrics-text") != std::string_view::npos
             ? MetricsFormat::kOpenMetrics
             : MetricsFormat::kPrometheus;
}

void MetricsText::family(std::string_view name, MetricType type, std::string_view unit,
                         std::string_view help) {
  name_ = std::string{name} + std::string{suffix(type)};
  const bool open = format_ == MetricsFormat::kOpenMetrics;
  const std::string title = open ? std::string{name} : name_;
  text_ += "# TYPE " + title + " " + std::string{word(type, format_)} + "\n";
  if (open && !unit.empty()) text_ += "# UNIT " + title + " " + std::string{unit} + "\n";
  text_ += "# HELP " + title + " " + escaped(help, open) + "\n";
}

void MetricsText::write(Labels labels, const std::string& value) {
  text_ += name_;
  char before = '{';
  for (const auto& [name, text] : labels) {
    text_ += before;
    text_ += std::string{name} + "=\"" + escaped(text, true) + "\"";
    before = ',';
  }
  if (labels.size() > 0) text_ += '}';
  text_ += " " + value + "\n";
}

void MetricsText::sample(Labels labels, std::uint64_t value) {
  write(labels, std::to_string(value));
}

void MetricsText::sample(Labels labels, std::int64_t value) {
  write(labels, std::to_string(value));
}

std::string MetricsText::finish() {
  if (format_ == MetricsFormat::kOpenMetrics) text_ += "# EOF\n";
  return std::exchange(text_, {});
}

}  // namespace meiguan::exporting
