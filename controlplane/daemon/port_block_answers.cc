// Who holds, or held, which ports of the pool addresses.

#include <boost/json.hpp>
#include <charconv>

#include "controlplane/analysis/names.h"
#include "controlplane/daemon/answers.h"
#include "controlplane/policy/instant_text.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

// ADDRESS, or ADDRESS:PORT of an IPv4 one.
struct Asked {
  net::Address address;
  std::optional<std::uint16_t> port;
};

std::optional<Asked> parse_asked(std::string_view text) {
  if (const auto address = net::parse_address(text)) return Asked{*address, {}};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto address = net::parse_address(text.substr(0, colon));
  const auto digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (!address || wrong != std::errc{} || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return Asked{*address, port};
}

json::value time_or_null(const image::Image& image, const std::optional<report::WallTime>& time) {
  if (!time) return nullptr;
  return json::value(
      policy::instant_text(image.utc_offsets(), std::chrono::system_clock::to_time_t(*time)));
}

}  // namespace

std::string unit_at(const lifecycle::Bundle& bundle, SpaceId space, const net::Address& inside) {
  const auto subject = fastpath::find_subject(bundle.image, space, inside, ZoneId{});
  return std::string{analysis::Names{bundle.compiled.catalog}.unit_id(subject.unit)};
}

std::optional<json::object> port_blocks_answer(const lifecycle::Bundle& bundle,
                                               const std::vector<report::PortBlockHeld>& blocks,
                                               std::uint64_t forgotten, std::string_view about) {
  std::optional<Asked> asked;
  if (!about.empty() && !(asked = parse_asked(about))) return std::nullopt;
  json::array rows;
  for (const auto& block : blocks) {
    if (asked && !block.concerns(asked->address, asked->port)) continue;
    rows.push_back(
        json::object{{"state", block.returned ? "returned" : "held"},
                     {"inside", net::to_string(block.inside)},
                     {"unit",
                      block.unit.empty() ? unit_at(bundle, block.space, block.inside) : block.unit},
                     {"outside", net::to_string(block.outside)},
                     {"first_port", block.first_port},
                     {"last_port", block.last_port},
                     {"taken", time_or_null(bundle.image, block.taken)},
                     {"returned", time_or_null(bundle.image, block.returned)}});
  }
  return json::object{{"ok", true},
                      {"schema", "meiguan.port-blocks/v1"},
                      {"rows", std::move(rows)},
                      {"forgotten", forgotten}};
}

}  // namespace meiguan::daemon
