#include "controlplane/policy/syntax.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/protocol_name.h"
#include "controlplane/policy/suggest.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

std::unexpected<Complaint> complain(Text message, Text hint = {}) {
  return std::unexpected(Complaint{std::move(message), std::move(hint)});
}

constexpr std::size_t kMaxLabel = 256;  // in characters

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

constexpr std::array<std::string_view, 5> kTiers{"province", "prefecture", "county", "township",
                                                 "village"};

struct SelectorName {
  std::string_view name;
  SelectorKind kind;
};
constexpr std::array<SelectorName, 9> kSelectors{{{"unit", SelectorKind::kUnit},
                                                  {"node", SelectorKind::kNode},
                                                  {"tier", SelectorKind::kTier},
                                                  {"label", SelectorKind::kLabel},
                                                  {"group", SelectorKind::kGroup},
                                                  {"zone", SelectorKind::kZone},
                                                  {"net", SelectorKind::kNet},
                                                  {"service", SelectorKind::kService},
                                                  {"services", SelectorKind::kServices}}};

struct AddressAndLength {
  net::Address address;
  std::uint8_t length{0};
};

Parsed<AddressAndLength> parse_address_and_length(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) {
    const auto address = parse_one_address(text);
    if (!address) return std::unexpected(address.error());
    return complain(say("`{}` has no length, ADDRESS/LENGTH expected",
                        "`{}` 缺少前缀长度，应为 地址/长度", text),
                    say("a single address is `{}/{}`", "单个地址写作 `{}/{}`", text,
                        net::address_bits(address->family())));
  }
  const auto address = parse_one_address(text.substr(0, slash));
  if (!address) return std::unexpected(address.error());
  const std::uint32_t bits = net::address_bits(address->family());
  const auto length = parse_number(text.substr(slash + 1), bits);
  if (!length) {
    return complain(say("`{}` is no prefix length, 0 to {} expected",
                        "`{}` 不是前缀长度，应为 0 至 {}", printable(text.substr(slash + 1)),
                        bits));
  }
  return AddressAndLength{*address, static_cast<std::uint8_t>(*length)};
}

Complaint host_bits(std::string_view text, const AddressAndLength& parsed) {
  return {say("`{}` has host bits set", "`{}` 的主机位不为零", printable(text)),
          say("the prefix that holds it is `{0}`, the single address `{1}/{2}`",
              "包含它的前缀是 `{0}`，单个地址写作 `{1}/{2}`",
              net::to_string(net::Prefix::around(parsed.address, parsed.length)),
              net::to_string(parsed.address), net::address_bits(parsed.address.family()))};
}

Parsed<PortMatch> parse_protocol(std::string_view text) {
  PortMatch match;
  if (text == "any") {
    match.any_protocol = true;
    return match;
  }
  if (const auto number = protocol_named(text)) {
    match.protocol = *number;
    return match;
  }
  constexpr std::string_view kNumbered = "proto-";
  if (text.starts_with(kNumbered)) {
    if (const auto number = parse_number(text.substr(kNumbered.size()), 255)) {
      match.protocol = static_cast<std::uint8_t>(*number);
      return match;
    }
    return complain(say("`{}` is no protocol number, proto-0 to proto-255 expected",
                        "`{}` 不是协议号，应为 proto-0 至 proto-255", printable(text)));
  }
  constexpr std::array<std::string_view, 6> kNames{"tcp", "udp", "sctp", "icmp", "icmp6", "any"};
  return complain(
      say("unknown protocol `{}`, tcp, udp, sctp, icmp, icmp6, proto-NUMBER or any expected",
          "未知协议 `{}`，应为 tcp、udp、sctp、icmp、icmp6、proto-编号 或 any", printable(text)),
      near_hint(text, kNames));
}

// Ports stand with a name only, never with proto-6.
bool has_ports(std::string_view name) {
  const auto protocol = protocol_named(name);
  return protocol && policy::has_ports(*protocol);
}

// `443` or `8000-8100`, into `match`.
std::optional<Complaint> read_port_range(std::string_view text, PortMatch& match) {
  const std::size_t dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash), 65535);
  const auto last = dash == text.npos ? first : parse_number(text.substr(dash + 1), 65535);
  if (!first || !last || *first == 0 || *last == 0) {
    return Complaint{say("`{}` is no port, 1 to 65535 or FIRST-LAST expected",
                         "`{}` 不是端口，应为 1 至 65535 或 起-止", printable(text)),
                     {}};
  }
  if (*first > *last) {
    return Complaint{say("port range `{}` ends before it begins", "端口范围 `{}` 的终点小于起点",
                         text),
                     say("did you mean `{}-{}`?", "是否想写 `{}-{}`？", *last, *first)};
  }
  match.whole = false;
  match.first = static_cast<std::uint16_t>(*first);
  match.last = static_cast<std::uint16_t>(*last);
  return std::nullopt;
}

Complaint ports_without_protocol(std::string_view protocol) {
  return {say("ports stand with tcp, udp and sctp only, not with `{}`",
              "只有 tcp、udp、sctp 可以带端口，`{}` 不可以", printable(protocol)),
          {}};
}

}  // namespace

std::optional<Complaint> check_code(std::string_view text) {
  const bool ok = !text.empty() && text.size() <= 32 &&
                  std::all_of(text.begin(), text.end(), [](char c) {
                    return is_digit(c) || is_lower(c) || is_upper(c) || c == '-';
                  });
  if (ok) return std::nullopt;
  return Complaint{say("code `{}` is not 1 to 32 of 0-9, A-Z, a-z and -",
                       "代码 `{}` 应为 1 至 32 个 0-9、A-Z、a-z 或 -", printable(text)),
                   {}};
}

std::optional<Complaint> check_id(std::string_view text) {
  const bool ok = !text.empty() && text.size() <= 64 &&
                  std::all_of(text.begin(), text.end(),
                              [](char c) { return is_digit(c) || is_lower(c) || c == '-'; });
  if (ok) return std::nullopt;
  return Complaint{say("id `{}` is not 1 to 64 of a-z, 0-9 and -",
                       "标识 `{}` 应为 1 至 64 个 a-z、0-9 或 -", printable(text)),
                   {}};
}

std::optional<Complaint> check_label(std::string_view text) {
  if (!text.empty() && !has_control(text) && count_characters(text) <= kMaxLabel)
    return std::nullopt;
  return Complaint{say("label `{}` is not 1 to {} printable characters",
                       "标签 `{}` 应为 1 至 {} 个可见字符", printable(text), kMaxLabel),
                   {}};
}

std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t largest) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() ||
      !is_digit(text.front()) || (text.size() > 1 && text.front() == '0') || value > largest) {
    return std::nullopt;
  }
  return value;
}

Parsed<Tier> parse_tier(std::string_view text) {
  const auto it = std::find(kTiers.begin(), kTiers.end(), text);
  if (it != kTiers.end()) return static_cast<Tier>(it - kTiers.begin());
  return complain(
      say("unknown tier `{}`, province, prefecture, county, township or village expected",
          "未知层级 `{}`，应为 province、prefecture、county、township 或 village", printable(text)),
      near_hint(text, kTiers));
}

std::string_view tier_name(Tier tier) { return kTiers[static_cast<std::size_t>(tier)]; }

Parsed<net::Address> parse_one_address(std::string_view text) {
  if (const auto address = net::parse_address(text)) return *address;
  Text hint;
  if (text.starts_with("::ffff:") || text.starts_with("::FFFF:")) {
    hint = say("write an IPv4 address as four numbers with dots", "IPv4 地址请写成点分十进制");
  }
  return complain(say("`{}` is not an IPv4 or IPv6 address", "`{}` 不是 IPv4 或 IPv6 地址",
                      printable(text)),
                  std::move(hint));
}

Parsed<net::Prefix> parse_prefix(std::string_view text) {
  const auto parsed = parse_address_and_length(text);
  if (!parsed) return std::unexpected(parsed.error());
  if (const auto prefix = net::Prefix::make(parsed->address, parsed->length)) return *prefix;
  return std::unexpected(host_bits(text, *parsed));
}

Parsed<InterfaceAddress> parse_interface_address(std::string_view text) {
  const auto parsed = parse_address_and_length(text);
  if (!parsed) return std::unexpected(parsed.error());
  return InterfaceAddress{parsed->address, parsed->length};
}

Parsed<net::MacAddress> parse_station_mac(std::string_view text) {
  const auto mac = net::parse_mac(text);
  if (!mac) {
    return complain(say("`{}` is not a MAC address, aa:bb:cc:dd:ee:ff expected",
                        "`{}` 不是 MAC 地址，应形如 aa:bb:cc:dd:ee:ff", printable(text)));
  }
  if (((*mac)[0] & 1) != 0 || *mac == net::MacAddress{}) {
    return complain(
        say("MAC address `{}` is not that of one station", "MAC 地址 `{}` 不是单播地址", text));
  }
  return *mac;
}

Parsed<PortMatch> parse_ports(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return parse_protocol(text);
  const std::string_view left = text.substr(0, slash);
  const std::string_view right = text.substr(slash + 1);
  if (left == "icmp" || left == "icmp6") {
    auto match = parse_protocol(left);
    const auto type = parse_number(right, 255);
    if (!type) {
      return complain(say("`{}` is no ICMP type, 0 to 255 expected",
                          "`{}` 不是 ICMP 类型，应为 0 至 255", printable(right)));
    }
    match->whole = false;
    match->first = match->last = static_cast<std::uint16_t>(*type);
    return match;
  }
  auto match = parse_protocol(right);
  if (!match) return match;
  if (!has_ports(right)) return std::unexpected(ports_without_protocol(right));
  if (auto complaint = read_port_range(left, *match)) return std::unexpected(*complaint);
  return match;
}

Parsed<Endpoint> parse_endpoint(std::string_view text) {
  constexpr auto kForm = [](std::string_view whole) {
    return complain(say("`{}` is not ADDRESS[/LENGTH][:PORT[-PORT]]/PROTOCOL",
                        "`{}` 不符合 地址[/长度][:端口[-端口]]/协议 的格式", printable(whole)));
  };
  std::string_view rest = text;
  std::string_view address_text;
  const bool bracketed = rest.starts_with('[');
  if (bracketed) {
    const std::size_t end = rest.find(']');
    if (end == rest.npos) return kForm(text);
    address_text = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  } else {
    address_text = rest.substr(0, rest.find_first_of("/:"));
    rest.remove_prefix(address_text.size());
    if (std::count(text.begin(), text.end(), ':') > 1) {
      return complain(say("`{}` is not an endpoint", "`{}` 不是合法的端点", printable(text)),
                      say("an IPv6 address stands in brackets: `[2001:db8::10]:443/tcp`",
                          "IPv6 地址须加方括号：`[2001:db8::10]:443/tcp`"));
    }
  }
  const auto address = parse_one_address(address_text);
  if (!address) return std::unexpected(address.error());
  if (bracketed != (address->family() == net::Family::kIpv6)) return kForm(text);

  AddressAndLength parsed{*address, net::address_bits(address->family())};
  if (rest.size() > 1 && rest[0] == '/' && is_digit(rest[1])) {
    const std::string_view digits = rest.substr(1, rest.find_first_of(":/", 1) - 1);
    const auto length = parse_number(digits, parsed.length);
    if (!length) {
      return complain(say("`{}` is no prefix length, 0 to {} expected",
                          "`{}` 不是前缀长度，应为 0 至 {}", printable(digits), parsed.length));
    }
    parsed.length = static_cast<std::uint8_t>(*length);
    rest.remove_prefix(1 + digits.size());
  }
  const auto prefix = net::Prefix::make(parsed.address, parsed.length);
  if (!prefix) return std::unexpected(host_bits(text, parsed));

  const bool with_ports = rest.starts_with(':');
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos || (!with_ports && slash != 0)) return kForm(text);
  const std::string_view ports = with_ports ? rest.substr(1, slash - 1) : std::string_view{};
  const std::string_view protocol = rest.substr(slash + 1);
  if (protocol.starts_with("icmp/") || protocol.starts_with("icmp6/")) {
    return complain(say("an endpoint has no ICMP type", "端点不能带 ICMP 类型"),
                    say("a rule's `ports` may name one", "可在规则的 `ports` 中指定类型"));
  }
  auto match = parse_protocol(protocol);
  if (!match) return std::unexpected(match.error());
  if (with_ports) {
    if (!has_ports(protocol)) return std::unexpected(ports_without_protocol(protocol));
    if (auto complaint = read_port_range(ports, *match)) return std::unexpected(*complaint);
  }
  const bool is_v4 = prefix->family() == net::Family::kIpv4;
  // By number as well: the other family's ICMP is malformed and dropped before any rule.
  if (!match->any_protocol &&
      match->protocol == (is_v4 ? net::protocol::kIcmp6 : net::protocol::kIcmp)) {
    return complain(say("`{}` has no packets with {} addresses", "`{}` 与 {} 地址不匹配", protocol,
                        is_v4 ? "IPv4" : "IPv6"),
                    say("did you mean `{}`?", "是否想写 `{}`？", is_v4 ? "icmp" : "icmp6"));
  }
  return Endpoint{*prefix, *match};
}

Parsed<Selector> parse_selector(std::string_view text) {
  Selector selector;
  if (text == "any") return selector;
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const auto known = std::find_if(kSelectors.begin(), kSelectors.end(),
                                  [&](const SelectorName& s) { return s.name == kind; });
  if (colon == text.npos || known == kSelectors.end()) {
    Nearest nearest(kind);
    for (const SelectorName& s : kSelectors) nearest.offer(s.name);
    Text hint = nearest.hint();
    if (hint.english.empty()) {
      hint =
          say("write unit:ID, node:CODE, tier:NAME, label:TEXT, group:ID, zone:ID, net:PREFIX, "
              "service:ID, services:LABEL or any",
              "可写 unit:标识、node:代码、tier:层级、label:标签、group:标识、zone:标识、"
              "net:前缀、service:标识、services:标签 或 any");
    }
    return complain(say("`{}` is no selector", "`{}` 不是选择器", printable(text)),
                    std::move(hint));
  }
  selector.kind = known->kind;
  const std::string_view name = text.substr(colon + 1);
  if (name.empty()) {
    return complain(say("selector `{}` names nothing", "选择器 `{}` 没有指明对象", text));
  }
  switch (selector.kind) {
    case SelectorKind::kTier: {
      const auto tier = parse_tier(name);
      if (!tier) return std::unexpected(tier.error());
      selector.tier = *tier;
      break;
    }
    case SelectorKind::kNet: {
      const std::size_t at = name.find('@');
      const auto prefix = parse_prefix(name.substr(0, at));
      if (!prefix) return std::unexpected(prefix.error());
      selector.prefix = *prefix;
      if (at != name.npos) {
        selector.text = name.substr(at + 1);
        if (selector.text.empty()) {
          return complain(say("`{}` names no zone after @", "`{}` 的 @ 之后缺少区域", text));
        }
      }
      break;
    }
    case SelectorKind::kLabel:
    case SelectorKind::kServices:
      if (auto complaint = check_label(name)) return std::unexpected(*complaint);
      if (name == "intranet") return complain(intranet_refusal());
      selector.text = name;
      break;
    default:
      if (selector.kind == SelectorKind::kZone && name == "intranet") {
        return complain(intranet_refusal());
      }
      selector.text = name;
  }
  return selector;
}

}  // namespace meiguan::policy
