#pragma once

// Metrics as text: OpenMetrics 1.0, or the format that Prometheus had before it (0.0.4), which
// differ in how counters are named and in the last line.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace meiguan::exporting {

enum class MetricsFormat : std::uint8_t { kOpenMetrics, kPrometheus };

[[nodiscard]] std::string_view content_type(MetricsFormat format) noexcept;
// By a request's Accept header: OpenMetrics where it is named.
[[nodiscard]] MetricsFormat format_for(std::string_view accept) noexcept;

enum class MetricType : std::uint8_t { kCounter, kGauge, kInfo };

class MetricsText {
 public:
  explicit MetricsText(MetricsFormat format) : format_{format} {}

  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Begins a family; its samples follow. `name` is without `_total` and `_info`. `unit` is its last
  // word, or empty ("bytes" of meiguan_sent_bytes).
  void family(std::string_view name, MetricType type, std::string_view unit, std::string_view help);
  void sample(Labels labels, std::uint64_t value);
  void sample(Labels labels, std::int64_t value);
  void sample(std::uint64_t value) { sample({}, value); }
  // A family of one sample.
  void only(std::string_view name, MetricType type, std::string_view unit, std::string_view help,
            std::uint64_t value) {
    family(name, type, unit, help);
    sample(value);
  }
  // With what ends it; nothing may be added afterwards.
  [[nodiscard]] std::string finish();

 private:
  void write(Labels labels, const std::string& value);

  MetricsFormat format_;
  std::string text_;
  std::string name_;  // of samples of the family
};

}  // namespace meiguan::exporting
