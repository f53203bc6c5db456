#pragma once

// A question about one first packet, as people write it: on the command line or in a file of cases.

#include <expected>
#include <string>

#include "controlplane/analysis/explain.h"
#include "controlplane/lifecycle/bundle.h"

namespace meiguan::cli {

// Empty: not given. `at` as policy::parse_instant reads it in the policy's time zone; without it
// the question is about now.
struct QuestionText {
  std::string from;  // an address, of IPv6 with or without brackets
  std::string to;    // ADDR[:PORT]/PROTO
  std::string from_zone;
  std::string to_zone;
  std::string in;  // a port of the gateway
  std::string at;
};

struct QuestionError {
  std::string key;  // "from_zone"
  Text message;
};

[[nodiscard]] std::expected<analysis::Question, QuestionError> read_question(
    const QuestionText& text, const lifecycle::Bundle& bundle);

}  // namespace meiguan::cli
