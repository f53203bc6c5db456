#include "tools/cli/doctor_certificates.h"

#include <fmt/format.h>

#include <string>
#include <system_error>

#include "controlplane/access/appliance.h"
#include "controlplane/web/tls.h"

namespace meiguan::cli {
namespace {

using host::Health;
using host::Remark;

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kSoonDays = 30;  // as the alarm of `status`

Remark remark_on(const std::string& table, const std::filesystem::path& file, std::int64_t now) {
  Remark remark{"certificate " + table, Health::kGood, {}, {}};
  const auto renew = [&](Health health) {
    remark.health = health;
    remark.fix = {fmt::format("have it renewed and put it at {}; `systemctl reload "
                              "meiguan-controld` reads it",
                              file.string()),
                  fmt::format("换发新证书并放到 {}；`systemctl reload meiguan-controld` 使其生效",
                              file.string())};
  };
  const auto certificate = web::read_certificate(file);
  if (!certificate) {
    remark.found = certificate.error().message;
    renew(Health::kBad);
    return remark;
  }
  const auto days = (certificate->not_after - now) / kDay;
  if (certificate->not_after <= now) {
    remark.found = {fmt::format("{}: expired", certificate->subject),
                    fmt::format("{}：已过期", certificate->subject)};
    renew(Health::kBad);
  } else if (certificate->not_before > now) {
    remark.found = {fmt::format("{}: not valid yet", certificate->subject),
                    fmt::format("{}：尚未生效", certificate->subject)};
    remark.health = Health::kBad;
    remark.fix = {"look at the clock of this machine", "检查本机时钟"};
  } else {
    remark.found = {fmt::format("{}: {} days left", certificate->subject, days),
                    fmt::format("{}：还有 {} 天到期", certificate->subject, days)};
    if (days < kSoonDays) renew(Health::kWarning);
  }
  return remark;
}

}  // namespace

std::vector<Remark> examine_certificates(const std::filesystem::path& appliance, std::int64_t now) {
  std::error_code error;
  if (!std::filesystem::exists(appliance, error)) return {};
  const auto loaded = access::load_appliance(appliance);
  if (!loaded) {
    const auto& first = loaded.error().front();
    const auto place = fmt::format("{}:{}:{}: ", first.file, first.line, first.column);
    return {{"appliance-file",
             Health::kBad,
             {place + first.message.english, place + first.message.chinese},
             {"mend it: meiguan-controld does not start with it",
              "请改正：否则 meiguan-controld 无法启动"}}};
  }
  std::vector<Remark> remarks;
  const auto add = [&](const std::string& table, const web::TlsFiles& files) {
    if (!files.certificate.empty()) remarks.push_back(remark_on(table, files.certificate, now));
  };
  if (loaded->api) add("[api]", loaded->api->tls);
  if (loaded->uplink) add("[uplink]", loaded->uplink->tls);
  if (loaded->children) add("[children]", loaded->children->tls);
  return remarks;
}

}  // namespace meiguan::cli
