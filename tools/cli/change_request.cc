#include "tools/cli/change_request.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <optional>

#include "controlplane/api/protocol.h"
#include "tools/cli/ask.h"
#include "tools/cli/out.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

// "90s", "10m", "2h", "1d" as seconds; nothing for other text.
std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number <= 0 || number > 1'000'000) return std::nullopt;
  const std::string_view unit{at, static_cast<std::size_t>(text.data() + text.size() - at)};
  if (unit == "s") return number;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  if (unit == "d") return number * 86'400;
  return std::nullopt;
}

std::string number_text(const json::object& answer, std::string_view key) {
  const auto* const value = answer.if_contains(key);
  return value != nullptr && value->is_number() ? json::serialize(*value) : "-";
}

}  // namespace

void add_description(CLI::App& command, const Context& context, Description& description) {
  command.add_option("--ticket", description.ticket, context.tr("the ticket's number", "工单号"));
  command.add_option("--comment", description.comment,
                     context.tr("why, in one line", "原因，一行"));
  command.add_option("--confirm", description.confirm,
                     context.tr("the revision before comes back unless `meiguan confirm` is given "
                                "within this time: 90s, 10m, 2h",
                                "在此时限内未执行 meiguan confirm 则自动恢复上一版：90s、10m、2h"));
  command.add_flag("--reopen-ports", description.reopen_ports,
                   context.tr("where the gateway file asks for other ports: open all anew; live "
                              "connections begin again",
                              "网关文件要求其他端口时重新打开全部端口；现有连接须重新建立"));
}

bool describe(const Context& context, const Description& description, json::object& request) {
  request.emplace("ticket", description.ticket);
  request.emplace("comment", description.comment);
  request.emplace("reopen_ports", description.reopen_ports);
  if (description.confirm.empty()) return true;
  const auto seconds = seconds_of(description.confirm);
  if (!seconds) {
    complain(context, {fmt::format("--confirm: `{}` is no time: 90s, 10m, 2h or 1d is expected",
                                   description.confirm),
                       fmt::format("--confirm：`{}` 不是时长，应写作 90s、10m、2h 或 1d",
                                   description.confirm)});
    return false;
  }
  request.emplace("confirm_seconds", *seconds);
  return true;
}

int show_change(const Context& context, const json::object& request) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  const auto answer = ask(context, request, kLoadSeconds);
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson) {
    out.line(json::serialize(*answer));
    return kYes;
  }
  const auto number = number_text(*answer, "revision");
  const bool published = !answer->contains("published") || api::flag_at(*answer, "published");
  const auto policy = api::string_at(*answer, "policy");
  const auto signature = api::string_at(*answer, "signature");
  const bool unchanged = api::flag_at(*answer, "unchanged");
  // Where the daemon unpacks what is signed is nobody's to know.
  const std::string what{signature.empty() ? std::string{policy}
                                           : context.tr("signed policy", "签名策略")};
  out.line(fmt::format("{}: {} {} {}", what, context.tr("revision", "版本"), number,
                       !published ? context.tr("is in force as soon as the data plane is there",
                                               "将在数据面就绪后生效")
                       : unchanged ? context.tr("was in force already", "此前已生效，内容未变")
                                   : context.tr("is in force", "已生效")));
  if (const auto repeats = number_text(*answer, "repeats"); repeats != "-" && signature.empty()) {
    note(context, {fmt::format("it is revision {} once more; {} was not changed, and `meiguan "
                               "apply` or `reload` would bring back what it says",
                               repeats, policy),
                   fmt::format("内容同第 {} 版；{} 中的文件没有改动，执行 meiguan apply 或 reload "
                               "会使其中的内容再次生效",
                               repeats, policy)});
  }
  if (!signature.empty()) {
    out.line(fmt::format("{}: {}", context.tr("signed", "签名"), signature));
  }
  if (const auto left = number_text(*answer, "seconds_left"); left != "-") {
    note(context, {fmt::format("confirm it within {} s with `meiguan confirm`, or the revision "
                               "before comes back by itself",
                               left),
                   fmt::format("请在 {} 秒内执行 meiguan confirm，否则将自动恢复上一版", left)});
  }
  return kYes;
}

}  // namespace meiguan::cli
