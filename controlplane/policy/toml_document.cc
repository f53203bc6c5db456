#include "controlplane/policy/toml_document.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/toml_reader.h"
#include "controlplane/policy/toml_sections.h"

namespace meiguan::policy {
namespace {

struct HeaderPath {
  std::vector<std::string> keys;
  bool is_array{false};
  Place place;
};

TomlMember* find_member(std::vector<TomlMember>& members, std::string_view key) {
  const auto it = std::find_if(members.begin(), members.end(),
                               [&](const TomlMember& member) { return member.key == key; });
  return it == members.end() ? nullptr : &*it;
}

// The tables that a document has opened so far, of which the last may still grow.
class DocumentReader {
 public:
  DocumentReader(std::uint32_t file, std::string_view text, Reporter& reporter,
                 const std::function<void(const TomlTable&)>& visit)
      : file_{file}, text_{text}, reporter_{reporter}, visit_{visit} {}

  void read() {
    SectionSplitter splitter(text_);
    TomlSection section;
    bool first = true;
    while (!reporter_.is_full() && splitter.next(section)) {
      if (std::exchange(first, false)) {
        read_head(section);
      } else {
        read_section(section);
      }
    }
    flush();
  }

 private:
  Place line_start(std::uint32_t line) const { return Place{file_, line, 1}; }

  void report_syntax(const TomlError& error) {
    const Text& message = error.words.message;
    reporter_.error(error.place,
                    {"not valid TOML: " + message.english, "TOML 语法错误：" + message.chinese},
                    error.words.hint);
  }

  // Punctuation of a Chinese keyboard looks right and is not: then that is said, and not what the
  // parser made of it.
  void report_body(const TomlSection& section, const TomlError& error) {
    const ForeignCharacter& foreign = section.foreign;
    if (foreign.text.empty() ||
        std::tie(error.place.line, error.place.column) < std::tie(foreign.line, foreign.column)) {
      report_syntax(error);
      return;
    }
    reporter_.error(
        Place{file_, foreign.line, foreign.column},
        say("not valid TOML: `{}` stands outside a string, ASCII expected",
            "TOML 语法错误：`{}` 位于字符串之外，应为 ASCII 字符", printable(foreign.text)),
        say("strings stand between \" and \", and punctuation is half-width: = , [ ] \"",
            "字符串须用英文双引号括起，标点须为半角：= , [ ] \""));
  }

  // Nothing, reported, where the body is not TOML or goes beyond a limit.
  std::optional<std::vector<TomlMember>> parse_body(const TomlSection& section) {
    if (section.body.size() > kMaxSectionBytes) {
      reporter_.error(line_start(section.header_line),
                      say("the table is larger than {} KiB", "表超过 {} KiB",
                          kMaxSectionBytes >> 10));
    } else if (section.dots > kMaxSectionDots) {
      reporter_.error(line_start(section.header_line),
                      say("the table has more than {} dots outside strings",
                          "表中字符串之外的句点超过 {} 个", kMaxSectionDots));
    } else if (section.depth > kMaxTomlDepth) {
      reporter_.error(line_start(section.header_line), say("values are nested more than {} deep",
                                                           "值的嵌套超过 {} 层", kMaxTomlDepth));
    } else {
      auto members = read_toml(section.body, file_, section.body_line);
      if (members) return std::move(*members);
      report_body(section, members.error());
    }
    reporter_.add_damage(section.body);
    return std::nullopt;
  }

  std::optional<HeaderPath> parse_header(const TomlSection& section) {
    HeaderPath path;
    const PlainHeader plain = plain_header(section.header);
    if (!plain.name.empty()) {
      path.keys.emplace_back(plain.name);
      path.is_array = plain.is_array;
      path.place = Place{file_, section.header_line, plain.column};
      return path;
    }
    const auto dots = std::count(section.header.begin(), section.header.end(), '.');
    if (section.header.size() > kMaxHeaderBytes ||
        static_cast<std::size_t>(dots) >= kMaxHeaderParts) {
      reporter_.error(line_start(section.header_line),
                      say("the table's header is too long", "表头过长"));
      return std::nullopt;
    }
    const auto parsed = read_toml(section.header, file_, section.header_line);
    if (!parsed) {
      report_syntax(parsed.error());
      return std::nullopt;
    }
    path.place = parsed->front().place;
    path.place.column = static_cast<std::uint32_t>(section.header.find('[') + 1);
    const std::vector<TomlMember>* level = &*parsed;
    while (!level->empty()) {
      const TomlMember& member = level->front();
      path.keys.push_back(member.key);
      path.is_array = member.value.kind == TomlKind::kArray;
      level = path.is_array ? &member.value.items.front().members : &member.value.members;
    }
    return path;
  }

  // The keys before the first header. `node = { ... }` and `rule = [ { ... } ]` are other
  // spellings of `[node]` and `[[rule]]`.
  void read_head(const TomlSection& section) {
    auto members = parse_body(section);
    if (!members) {
      reporter_.add_damaged_table(file_, "");
      return;
    }
    for (TomlMember& member : *members) {
      const TomlValue& value = member.value;
      const bool is_tables = value.kind == TomlKind::kArray && !value.items.empty() &&
                             std::all_of(value.items.begin(), value.items.end(),
                                         [](const auto& v) { return v.kind == TomlKind::kTable; });
      if (value.kind == TomlKind::kTable) {
        opened_.emplace(member.key, Opened{false, member.place});
        visit_({member.key, false, member.place, std::move(member.value.members)});
      } else if (is_tables) {
        // Closed: a header cannot add to it.
        opened_.emplace(member.key, Opened{false, member.place});
        for (TomlValue& item : member.value.items) {
          visit_({member.key, true, item.place, std::move(item.members)});
        }
      } else {
        reporter_.error(member.place,
                        say("key `{}` stands outside any table", "键 `{}` 不属于任何表",
                            printable(member.key)),
                        say("put it below the header of the table that it belongs to",
                            "请将其放在所属表的表头之下"));
      }
    }
  }

  void read_section(const TomlSection& section) {
    const auto path = parse_header(section);
    auto members = parse_body(section);
    if (!path) {
      flush();
      if (members) reporter_.add_damage(section.body);
      reporter_.add_damaged_table(file_, "");
      return;
    }
    if (!members) reporter_.add_damaged_table(file_, path->keys.front());
    if (path->keys.size() == 1) {
      flush();
      if (open_top(*path) && members) {
        open_pending({path->keys.front(), path->is_array, path->place, std::move(*members)});
      }
      return;
    }
    if (!has_pending_ || pending_.name != path->keys.front()) {
      flush();
      if (!open_top({{path->keys.front()}, false, path->place})) return;
      open_pending({path->keys.front(), false, path->place, {}});
    }
    if (++sub_tables_ > kMaxSubTables) {
      reporter_.error(path->place, say("the table has more than {} tables below it",
                                       "该表的子表超过 {} 个", kMaxSubTables));
    } else if (members) {
      insert(*path, std::move(*members));
    }
  }

  // Whether the table may be opened here; reported where not.
  bool open_top(const HeaderPath& path) {
    const std::string& name = path.keys.front();
    const auto [it, is_new] = opened_.emplace(name, Opened{path.is_array, path.place});
    if (is_new || (path.is_array && it->second.may_grow)) return true;
    reporter_.error(path.place,
                    say("table `{}` is defined a second time", "表 `{}` 重复定义", printable(name)),
                    say("it is first defined at {}", "首次定义于 {}",
                        reporter_.where(it->second.place)));
    return false;
  }

  // Hangs the members of `[top.a.b]` into the pending table.
  void insert(const HeaderPath& path, std::vector<TomlMember> members) {
    std::vector<TomlMember>* level = &pending_.members;
    for (std::size_t i = 1; i + 1 < path.keys.size(); ++i) {
      TomlMember* member = find_member(*level, path.keys[i]);
      if (member == nullptr) {
        level->push_back({path.keys[i], path.place, {}});
        member = &level->back();
        member->value.place = path.place;
      }
      TomlValue* value = &member->value;
      if (value->kind == TomlKind::kArray && !value->items.empty()) value = &value->items.back();
      if (value->kind != TomlKind::kTable) return report_redefinition(path, *member);
      level = &value->members;
    }
    TomlValue table;
    table.place = path.place;
    table.members = std::move(members);
    TomlMember* member = find_member(*level, path.keys.back());
    if (member == nullptr) {
      TomlValue value;
      value.place = path.place;
      if (path.is_array) {
        value.kind = TomlKind::kArray;
        value.items.push_back(std::move(table));
      } else {
        value = std::move(table);
      }
      level->push_back({path.keys.back(), path.place, std::move(value)});
    } else if (path.is_array && member->value.kind == TomlKind::kArray) {
      member->value.items.push_back(std::move(table));
    } else {
      report_redefinition(path, *member);
    }
  }

  void report_redefinition(const HeaderPath& path, const TomlMember& member) {
    reporter_.error(path.place,
                    say("`{}` is defined a second time", "`{}` 重复定义", printable(member.key)),
                    say("it is first defined at {}", "首次定义于 {}",
                        reporter_.where(member.place)));
  }

  void open_pending(TomlTable table) {
    pending_ = std::move(table);
    has_pending_ = true;
  }

  void flush() {
    if (std::exchange(has_pending_, false)) visit_(pending_);
    sub_tables_ = 0;
  }

  struct Opened {
    bool may_grow;  // a list of tables opened by `[[name]]`
    Place place;
  };

  std::uint32_t file_;
  std::string_view text_;
  Reporter& reporter_;
  const std::function<void(const TomlTable&)>& visit_;
  std::map<std::string, Opened> opened_;
  TomlTable pending_;  // the table that headers below may still add to
  bool has_pending_{false};
  std::size_t sub_tables_{0};
};

}  // namespace

void for_each_table(std::uint32_t file, std::string_view text, Reporter& reporter,
                    const std::function<void(const TomlTable&)>& visit) {
  DocumentReader(file, text, reporter, visit).read();
}

}  // namespace meiguan::policy
