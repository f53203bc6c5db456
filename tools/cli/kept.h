#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <memory>

#include "controlplane/lifecycle/bundle.h"
#include "tools/cli/context.h"

namespace meiguan::cli {

// A revision that meiguan-controld keeps, its policy's files and all; the exit code, told of, where
// it cannot be had.
[[nodiscard]] std::expected<lifecycle::Content, int> fetch_revision(const Context& context,
                                                                    std::uint32_t number);

// Compiles it as it stands; null, told of, where it is not whole.
[[nodiscard]] std::unique_ptr<const lifecycle::Bundle> load(const Context& context,
                                                            const lifecycle::Content& content);

// What two policies say differently, or with `semantic` do differently from now on, as `policy
// diff` prints it: kYes where there is no difference, else kNo.
[[nodiscard]] int print_difference(const Context& context, Format format,
                                   const lifecycle::Bundle& before, const lifecycle::Bundle& after,
                                   bool semantic);

}  // namespace meiguan::cli
