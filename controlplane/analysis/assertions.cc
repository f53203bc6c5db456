#include "controlplane/analysis/assertions.h"

#include <fmt/format.h>

#include <fstream>
#include <string>

namespace meiguan::analysis {
namespace {

std::string line_of(const std::string& path, std::uint32_t number) {
  std::ifstream in{path};
  std::string line;
  for (std::uint32_t i = 0; i < number; ++i) {
    if (!std::getline(in, line)) return {};
  }
  return line;
}

}  // namespace

Assertions::Assertions(const policy::CheckedPolicy& policy, const policy::Compiled& compiled,
                       const image::Image& image, std::int64_t from)
    : policy_{policy}, compiled_{compiled}, image_{image}, reach_{image}, prover_{reach_, from} {}

bool Assertions::each_example(std::size_t number, std::size_t most,
                              const std::function<bool(const Example&)>& visit) {
  const bool against = !policy_.assertions[number].always;
  return prover_.find(compiled_.assertions[number], against, [&](const Packets& packets) {
    return analysis::each_example(reach_, packets, most, visit);
  });
}

Finding Assertions::decide(std::size_t number) {
  Finding finding;
  finding.holds = !each_example(number, 1, [&](const Example& example) {
    finding.example = example;
    return true;
  });
  if (finding.holds) {
    const bool with = policy_.assertions[number].always;
    finding.speaks_of_none = !prover_.find(compiled_.assertions[number], with,
                                           [](const Packets&) { return true; });
  }
  return finding;
}

policy::Diagnostic Assertions::tell(std::size_t number, const Finding& finding,
                                    const std::filesystem::path& path) const {
  const policy::Assertion& assertion = policy_.assertions[number];
  const Names names{compiled_.catalog};
  const Example& example = *finding.example;
  const Text packet = packet_text(image_, names, example);
  const Text decision = decision_text(names, example.decision);
  policy::Diagnostic told;
  told.file = policy_.files[assertion.place.file];
  told.line = assertion.place.line;
  told.column = assertion.place.column;
  told.path = policy::openable(path, told.file);
  told.source_line = line_of(told.path, told.line);
  told.length = static_cast<std::uint32_t>(std::string_view{"[[assert]]"}.size());
  const bool always = assertion.always;
  told.message = {fmt::format("assertion `{}` does not hold: {} {}, {}", assertion.id,
                              packet.english, decision.english,
                              always ? "every such packet should be allowed"
                                     : "no such packet should be"),
                  fmt::format("断言 `{}` 不成立：{} {}，而这样的报文应{}", assertion.id,
                              packet.chinese, decision.chinese,
                              always ? "全部放行" : "一个也不放行")};
  const std::string options = path.string() + " " + explain_options(image_, names, example);
  told.hint = {"ask `meiguan explain --policy " + options +
                   "`, or have `meiguan prove --write` "
                   "make a capture of it",
               "可用 `meiguan explain --policy " + options +
                   "` 查看，或用 `meiguan prove --write` 写成抓包文件"};
  return told;
}

policy::Diagnostics failed_assertions(const policy::CheckedPolicy& policy,
                                      const policy::Compiled& compiled, const image::Image& image,
                                      std::int64_t from, const std::filesystem::path& path) {
  policy::Diagnostics failed;
  if (policy.assertions.empty()) return failed;
  Assertions assertions{policy, compiled, image, from};
  for (std::size_t i = 0; i < policy.assertions.size(); ++i) {
    const Finding finding = assertions.decide(i);
    if (!finding.holds) failed.push_back(assertions.tell(i, finding, path));
  }
  return failed;
}

}  // namespace meiguan::analysis
