#pragma once

// The assertions of a policy: decided, and told of as a compiler would (policy.md section 7).

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "controlplane/analysis/example.h"
#include "controlplane/policy/catalog.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"

namespace meiguan::analysis {

// What was found of one assertion.
struct Finding {
  bool holds{false};
  bool speaks_of_none{false};      // no packet at all matches it
  std::optional<Example> example;  // a packet against it, where it does not hold
};

// Decides assertions of one policy. All arguments must outlive it, and `compiled` be made from the
// policy, `image` opened from it.
class Assertions {
 public:
  // Every instant at or after `from` counts.
  Assertions(const policy::CheckedPolicy& policy, const policy::Compiled& compiled,
             const image::Image& image, std::int64_t from);

  // `number` indexes CheckedPolicy::assertions.
  [[nodiscard]] Finding decide(std::size_t number);
  // Of each assertion, on as many threads as the machine has cores.
  [[nodiscard]] std::vector<Finding> decide_all();
  // Shows packets against an assertion to `visit` until it answers true, of each set of addresses
  // that nothing tells apart `most` at most; answers whether it did.
  bool each_example(std::size_t number, std::size_t most,
                    const std::function<bool(const Example&)>& visit);

  // What is to be said of an assertion that does not hold. `path` is where the policy was read
  // from, for the line to show.
  [[nodiscard]] policy::Diagnostic tell(std::size_t number, const Finding& finding,
                                        const std::filesystem::path& path) const;

 private:
  [[nodiscard]] Finding decide(Prover& prover, std::size_t number) const;
  bool each_example(Prover& prover, std::size_t number, std::size_t most,
                    const std::function<bool(const Example&)>& visit) const;

  const policy::CheckedPolicy& policy_;
  const policy::Compiled& compiled_;
  const image::Image& image_;
  std::int64_t from_;
  Reach reach_;
  Prover prover_;
};

// Decides all; an error for each that does not hold. `path` as above.
[[nodiscard]] policy::Diagnostics failed_assertions(const policy::CheckedPolicy& policy,
                                                    const policy::Compiled& compiled,
                                                    const image::Image& image, std::int64_t from,
                                                    const std::filesystem::path& path);

}  // namespace meiguan::analysis
