#include "controlplane/analysis/assertions.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>
#include <string>
#include <system_error>
#include <thread>

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
    : policy_{policy},
      compiled_{compiled},
      image_{image},
      from_{from},
      reach_{image},
      prover_{reach_, from} {}

bool Assertions::each_example(std::size_t number, std::size_t most,
                              const std::function<bool(const Example&)>& visit) {
  return each_example(prover_, number, most, visit);
}

bool Assertions::each_example(Prover& prover, std::size_t number, std::size_t most,
                              const std::function<bool(const Example&)>& visit) const {
  const bool against = !policy_.assertions[number].always;
  return prover.find(compiled_.assertions[number], against, [&](const Packets& packets) {
    return analysis::each_example(reach_, packets, most, visit);
  });
}

Finding Assertions::decide(std::size_t number) { return decide(prover_, number); }

Finding Assertions::decide(Prover& prover, std::size_t number) const {
  Finding finding;
  finding.holds = !each_example(prover, number, 1, [&](const Example& example) {
    finding.example = example;
    return true;
  });
  if (finding.holds) {
    const bool with = policy_.assertions[number].always;
    finding.speaks_of_none = !prover.find(compiled_.assertions[number], with,
                                          [](const Packets&) { return true; });
  }
  return finding;
}

std::vector<Finding> Assertions::decide_all() {
  std::vector<Finding> findings(policy_.assertions.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&](Prover& prover) {
    for (std::size_t i = next++; i < findings.size(); i = next++) findings[i] = decide(prover, i);
  };
  const std::size_t wanted = std::min<std::size_t>(findings.size(),
                                                   std::thread::hardware_concurrency());
  std::vector<std::future<void>> others;
  for (std::size_t i = 1; i < wanted; ++i) {
    try {
      others.push_back(std::async(std::launch::async, [&] {
        Prover prover{reach_, from_};
        work(prover);
      }));
    } catch (const std::system_error&) {
      break;  // no thread to be had: it takes longer
    }
  }
  work(prover_);
  for (auto& other : others) other.get();
  return findings;
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
                  fmt::format("断言 `{}` 不成立：{}，{}，而这样的报文应{}", assertion.id,
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
  const std::vector<Finding> findings = assertions.decide_all();
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (!findings[i].holds) failed.push_back(assertions.tell(i, findings[i], path));
  }
  return failed;
}

}  // namespace meiguan::analysis
