#include "dataplane/fastpath/sip_edit.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace meiguan::fastpath::sip {
namespace {

char* write_address(const net::Address& address, char* at, char* end) noexcept {
  const bool v4 = address.family() == net::Family::kIpv4;
  (void)::inet_ntop(v4 ? AF_INET : AF_INET6, address.wire(), at, static_cast<socklen_t>(end - at));
  return at + std::strlen(at);
}

}  // namespace

Edits::Edit* Edits::add(Part where) noexcept {
  if (count_ == edits_.size()) return nullptr;
  Edit& edit = edits_[count_++];
  edit.where = where;
  edit.length = 0;
  return &edit;
}

bool Edits::put_number(Part where, std::uint16_t number) noexcept {
  Edit* const edit = add(where);
  if (edit == nullptr) return false;
  const auto written = std::to_chars(edit->text.begin(), edit->text.end(), number);
  edit->length = static_cast<std::uint8_t>(written.ptr - edit->text.begin());
  return true;
}

bool Edits::put_address(Part where, const net::Address& address) noexcept {
  Edit* const edit = add(where);
  if (edit == nullptr) return false;
  char* const end = write_address(address, edit->text.begin(), edit->text.end());
  edit->length = static_cast<std::uint8_t>(end - edit->text.begin());
  return true;
}

bool Edits::add_rtcp(std::string_view message, const Media& media, std::uint16_t number) noexcept {
  Edit* const edit = add({media.end, media.end});
  if (edit == nullptr) return false;
  char* at = edit->text.begin();
  const auto say = [&](std::string_view text) { at = std::copy(text.begin(), text.end(), at); };
  if (message[media.end - 1] != '\n') say("\r\n");
  say("a=rtcp:");
  at = std::to_chars(at, edit->text.end(), number).ptr;
  say("\r\n");
  edit->length = static_cast<std::uint8_t>(at - edit->text.begin());
  return true;
}

bool Edits::translate(const Message& message, const Translated& end, bool described) noexcept {
  const auto is_end = [&](const net::Address& address) { return address == end.address; };
  if (described && end.address != end.to_address) {
    for (const Host& host : std::span{message.hosts}.first(message.hosts_count)) {
      if (is_end(host.address) && !put_address(host.at, end.to_address)) return false;
    }
  }
  if (end.address == end.to_address && end.port == end.to_port) return true;
  for (const End& named : std::span{message.ends}.first(message.ends_count)) {
    if (!is_end(named.address)) continue;
    const bool has_port = !named.port.empty();
    const std::uint16_t port = has_port || named.seen ? named.number : kPort;
    if (port != end.port && !(named.seen && !has_port)) continue;
    if (!put_address(named.host, end.to_address)) return false;
    if (has_port) {
      if (!put_number(named.port, end.to_port)) return false;
      continue;
    }
    if (named.seen || end.to_port == kPort) continue;
    // Behind the address, and what closes it.
    const auto at = static_cast<std::uint16_t>(
        named.host.last + (named.address.family() == net::Family::kIpv6 ? 1 : 0));
    Edit* const edit = add({at, at});
    if (edit == nullptr) return false;
    edit->text[0] = ':';
    const auto written = std::to_chars(edit->text.begin() + 1, edit->text.end(), end.to_port);
    edit->length = static_cast<std::uint8_t>(written.ptr - edit->text.begin());
  }
  return true;
}

std::size_t Edits::write(std::string_view text, const Message& message,
                         std::span<char> out) noexcept {
  const auto by_place = [](const Edit& a, const Edit& b) { return a.where.first < b.where.first; };
  const auto grown = [&](const Edit& edit) {
    return edit.length - (edit.where.last - edit.where.first);
  };
  if (!message.length.empty()) {
    int body = static_cast<int>(text.size()) - message.body;
    for (const Edit& edit : std::span{edits_}.first(count_)) {
      if (edit.where.first >= message.body) body += grown(edit);
    }
    if (!put_number(message.length, static_cast<std::uint16_t>(body))) return 0;
  }
  // Not many, nearly in order.
  const auto edits = std::span{edits_}.first(count_);
  for (std::size_t i = 1; i < edits.size(); ++i) {
    for (std::size_t j = i; j > 0 && by_place(edits[j], edits[j - 1]); --j) {
      std::swap(edits[j], edits[j - 1]);
    }
  }
  std::size_t read = 0;
  std::size_t written = 0;
  const auto say = [&](std::string_view part) {
    if (part.size() > out.size() - written) return false;
    std::ranges::copy(part, out.begin() + static_cast<std::ptrdiff_t>(written));
    written += part.size();
    return true;
  };
  for (const Edit& edit : edits) {
    if (edit.where.first < read) return 0;  // two for one place: an address that is both ends'
    if (!say(text.substr(read, edit.where.first - read))) return 0;
    if (!say({edit.text.data(), edit.length})) return 0;
    read = edit.where.last;
  }
  return say(text.substr(read)) ? written : 0;
}

}  // namespace meiguan::fastpath::sip
