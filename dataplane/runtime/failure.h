#pragma once

#include <expected>
#include <string>
#include <utility>

#include "dataplane/base/result.h"
#include "dataplane/base/text.h"

namespace meiguan::runtime {

// The program's exit codes: what is to be changed, the configuration or the machine.
inline constexpr int kExitConfiguration = 2;
inline constexpr int kExitEnvironment = 3;

// Why the data plane cannot start or take an image: what is, what to do, and whose turn it is.
struct Failure {
  Text message;
  int exit_code{kExitEnvironment};
};

template <typename T>
using Outcome = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> configuration(std::string english,
                                                            std::string chinese) {
  return std::unexpected<Failure>{
      Failure{Text{std::move(english), std::move(chinese)}, kExitConfiguration}};
}
[[nodiscard]] inline std::unexpected<Failure> environment(std::string english,
                                                          std::string chinese) {
  return std::unexpected<Failure>{
      Failure{Text{std::move(english), std::move(chinese)}, kExitEnvironment}};
}
[[nodiscard]] inline std::unexpected<Failure> configuration(Error error) {
  return std::unexpected<Failure>{Failure{std::move(error.message), kExitConfiguration}};
}
[[nodiscard]] inline std::unexpected<Failure> environment(Error error) {
  return std::unexpected<Failure>{Failure{std::move(error.message), kExitEnvironment}};
}

}  // namespace meiguan::runtime
