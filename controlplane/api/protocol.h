#pragma once

// The local socket of meiguan-controld, `<run-dir>/controld.sock`: one JSON object a line in, one
// out. A request has "command" and what that command needs; an answer has "ok" and, where that is
// false, "error": {"en", "zh"} and perhaps "diagnostics".

#include <boost/json/object.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "controlplane/policy/diagnostic.h"
#include "dataplane/base/result.h"

namespace meiguan::api {

inline constexpr std::size_t kMaxRequestBytes = std::size_t{64} << 20;  // a million blocks
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxClients = 64;
inline constexpr std::chrono::seconds kIdleSeconds{60};
inline constexpr const char* kSocketName = "controld.sock";

// Asks and waits for the answer, whatever its "ok" says. Errors: nobody listens, no answer in
// time, an answer that is not one.
[[nodiscard]] Result<boost::json::object> ask(const std::filesystem::path& socket,
                                              const boost::json::object& request,
                                              std::chrono::seconds timeout);

// A request of the network's bytes. Errors: it is not one JSON object, or too deep.
[[nodiscard]] Result<boost::json::object> parse_request(std::string_view text);

[[nodiscard]] boost::json::object refusal(const Text& text);
[[nodiscard]] boost::json::array to_json(const policy::Diagnostics& diagnostics);
// What an answer with "ok" false says; anything missing reads as empty.
[[nodiscard]] Text refusal_text(const boost::json::object& answer);
[[nodiscard]] policy::Diagnostics diagnostics_of(const boost::json::object& answer);

// Text of a member, or empty where there is no such string.
[[nodiscard]] std::string string_at(const boost::json::object& object, std::string_view key);
// A whole number, or 0 where there is no such; and a flag that is set.
[[nodiscard]] std::int64_t number_at(const boost::json::object& object, std::string_view key);
[[nodiscard]] bool flag_at(const boost::json::object& object, std::string_view key);

}  // namespace meiguan::api
