#include "controlplane/api/protocol.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace meiguan::api {
namespace {

namespace json = boost::json;

class Socket {
 public:
  Socket() : descriptor_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

std::unexpected<Error> failure(const std::filesystem::path& socket, const char* what) {
  return fail(fmt::format("{}: {}; is meiguan-controld running?", socket.string(), what),
              fmt::format("{}：{}；meiguan-controld 是否在运行？", socket.string(), what));
}

}  // namespace

std::string string_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string{value->get_string()} : std::string{};
}

std::int64_t number_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? 0 : number;
}

bool flag_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

Result<json::object> ask(const std::filesystem::path& socket, const json::object& request,
                         std::chrono::seconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = socket.string();
  if (path.size() >= sizeof address.sun_path) return failure(socket, "the path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const Socket connection;
  // reinterpret_cast: the way of the socket interface.
  if (connection.get() < 0 ||
      ::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0) {
    return failure(socket, std::strerror(errno));
  }
  const auto line = json::serialize(request) + "\n";
  std::string_view rest{line};
  while (!rest.empty()) {
    const auto n = ::send(connection.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(socket, std::strerror(errno));
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::string answer;
  while (!answer.ends_with('\n')) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return failure(socket, "no answer in time");
    pollfd ready{connection.get(), POLLIN, 0};
    const int events = ::poll(&ready, 1, static_cast<int>(left.count()));
    if (events < 0 && errno != EINTR) return failure(socket, std::strerror(errno));
    if (events <= 0) continue;
    const auto used = answer.size();
    answer.resize(used + 65536);
    const auto n = ::recv(connection.get(), answer.data() + used, 65536, 0);
    answer.resize(used + static_cast<std::size_t>(n > 0 ? n : 0));
    if (n == 0) return failure(socket, "it hung up");
    if (n < 0 && errno != EINTR) return failure(socket, std::strerror(errno));
    if (answer.size() > kMaxAnswerBytes) return failure(socket, "an answer without end");
  }
  boost::system::error_code error;
  auto value = json::parse(answer, error);
  if (error || !value.is_object()) return failure(socket, "an answer that is not JSON");
  return std::move(value.get_object());
}

namespace {

// A number beyond all doubles is read as infinite, and written as what is no JSON: the audit
// record of such a request could not be read again.
bool is_finite(const json::value& value) {
  if (const auto* const number = value.if_double()) return std::isfinite(*number);
  if (const auto* const array = value.if_array()) return std::ranges::all_of(*array, is_finite);
  const auto* const object = value.if_object();
  return object == nullptr ||
         std::ranges::all_of(*object, [](const auto& member) { return is_finite(member.value()); });
}

}  // namespace

Result<json::object> parse_request(std::string_view text) {
  // Nesting is limited, so that it cannot eat the stack.
  json::parse_options options;
  options.max_depth = 16;
  boost::system::error_code error;
  auto value = json::parse(text, error, {}, options);
  if (error || !value.is_object() || !is_finite(value)) {
    return fail("a request is one JSON object on a line", "一个请求是一行 JSON 对象");
  }
  return std::move(value.get_object());
}

json::object refusal(const Text& text) {
  return {{"ok", false}, {"error", {{"en", text.english}, {"zh", text.chinese}}}};
}

json::array to_json(const policy::Diagnostics& diagnostics) {
  const auto both = [](const Text& text) {
    return json::object{{"en", text.english}, {"zh", text.chinese}};
  };
  json::array array;
  for (const auto& d : diagnostics) {
    array.push_back(json::object{{"file", d.file},
                                 {"path", d.path},
                                 {"line", d.line},
                                 {"column", d.column},
                                 {"length", d.length},
                                 {"source_line", d.source_line},
                                 {"message", both(d.message)},
                                 {"hint", both(d.hint)}});
  }
  return array;
}

namespace {

Text both_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  if (value == nullptr || !value->is_object()) return {};
  return {string_at(value->get_object(), "en"), string_at(value->get_object(), "zh")};
}

}  // namespace

Text refusal_text(const json::object& answer) { return both_at(answer, "error"); }

policy::Diagnostics diagnostics_of(const json::object& answer) {
  policy::Diagnostics result;
  const auto* const array = answer.if_contains("diagnostics");
  if (array == nullptr || !array->is_array()) return result;
  for (const auto& value : array->get_array()) {
    if (!value.is_object()) continue;
    const auto& object = value.get_object();
    policy::Diagnostic d;
    d.file = string_at(object, "file");
    d.path = string_at(object, "path");
    const auto count_at = [&](std::string_view key) {
      return static_cast<std::uint32_t>(
          std::clamp<std::int64_t>(number_at(object, key), 0, 0xffffffff));
    };
    d.line = count_at("line");
    d.column = count_at("column");
    d.length = count_at("length");
    d.source_line = string_at(object, "source_line");
    d.message = both_at(object, "message");
    d.hint = both_at(object, "hint");
    result.push_back(std::move(d));
  }
  return result;
}

}  // namespace meiguan::api
