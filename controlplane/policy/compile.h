#pragma once

// The back of the policy compiler: from a checked policy to the image that packets are judged by.

#include <cstddef>
#include <memory>
#include <vector>

#include "controlplane/policy/catalog.h"
#include "controlplane/policy/compile_bits.h"
#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"
#include "dataplane/image/bytes.h"
#include "dataplane/image/reader.h"

namespace meiguan::policy {

struct CompileTrace;
struct KeptMatrix;

// What an assertion speaks of, in terms of the image.
struct AssertionPoints {
  Bits sources;  // source group * zone_columns + zone that it comes in by
  Bits targets;  // target * zone_columns + zone column
};

struct Compiled {
  image::AlignedBytes bytes;  // a complete, valid image: open it with image::Image::open
  Catalog catalog;
  // By assertion of the policy. No address, port or zone of the image is partly inside one.
  std::vector<AssertionPoints> assertions;
};

// A pure function of its arguments: equal policies give equal bytes. `gateway` may be null: then
// zones are judged by the objects alone and there are no ports and routes. Ids of units, services
// and rules that `previous` knows by name are kept; null starts anew.
// `trace` may be null; else it is filled in.
// Errors: a limit of the format is exceeded (which, how many, how many there may be).
[[nodiscard]] Result<Compiled> compile(const CheckedPolicy& policy, const CheckedGateway* gateway,
                                       const Catalog* previous, CompileTrace* trace = nullptr);

// Compiles a policy that is compiled again and again. It keeps what every rule of the last one
// matched and what came of it; of a policy that differs in few rules only those cells of the matrix
// are judged again in which such a rule meets. That is found by comparing what rules match now with
// what they matched then; where more has changed, all is worked out anew. Either way the bytes are
// those that compile() gives.
class Compiler {
 public:
  Compiler();
  ~Compiler();
  Compiler(Compiler&&) noexcept;
  Compiler& operator=(Compiler&&) noexcept;

  // As compile(). An error leaves what was kept as it was.
  [[nodiscard]] Result<Compiled> compile(const CheckedPolicy& policy, const CheckedGateway* gateway,
                                         const Catalog* previous, CompileTrace* trace = nullptr);

  // Whether the last success took over cells of the one before.
  [[nodiscard]] bool took_over() const { return took_over_; }

 private:
  std::unique_ptr<KeptMatrix> kept_;
  bool took_over_{false};
};

}  // namespace meiguan::policy
