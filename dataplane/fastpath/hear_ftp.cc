#include "dataplane/fastpath/hear_ftp.h"

namespace meiguan::fastpath {
namespace {

// A whole line, of which `heard.side` holds the text.
void hear_line(unsigned direction, net::Family family, Heard& heard) noexcept {
  std::string_view text{heard.side.begun.data(), heard.side.length};
  if (text.ends_with('\r')) text.remove_suffix(1);
  // A reply that nobody asked for opens nothing, whatever it says.
  if (direction == 1 && !heard.asked) return;
  const ftp::Line line = direction == 0 ? ftp::read_command(text, family)
                                        : ftp::read_reply(text, family);
  switch (line.says) {
    case ftp::Says::kNothing: return;
    case ftp::Says::kAsks: heard.asked = true; return;
    case ftp::Says::kAnswers: heard.asked = false; return;
    case ftp::Says::kInvalid: heard.reason = Reason::kHelperInvalid; return;
    case ftp::Says::kAnnounces: break;
  }
  if (heard.announces) heard.reason = Reason::kHelperInvalid;  // one at a time
  heard.announces = true;
  heard.asked = false;
  heard.line = line;
}

}  // namespace

Heard hear_ftp(const Control& control, unsigned direction, net::Family family,
               std::span<const std::uint8_t> payload, std::size_t from) noexcept {
  Heard heard;
  heard.side = control.sides[direction];
  heard.asked = control.asked;
  ftp::Side& side = heard.side;
  std::size_t begin = from;
  bool cut = side.length != 0;
  for (std::size_t i = from; i < payload.size(); ++i) {
    if (payload[i] != '\n') {
      if (side.length == ftp::kMostLine) side.passes_over = true;
      if (!side.passes_over) side.begun[side.length++] = static_cast<char>(payload[i]);
      continue;
    }
    const bool known = heard.announces;
    if (!side.passes_over) hear_line(direction, family, heard);
    if (heard.announces && !known) {
      heard.at = begin;
      heard.cut = cut;
    }
    side.length = 0;
    side.passes_over = false;
    begin = i + 1;
    cut = false;
  }
  return heard;
}

}  // namespace meiguan::fastpath
