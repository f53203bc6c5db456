// Any bytes are an appliance file or a list of errors, and never anything worse.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "controlplane/access/appliance.h"
#include "controlplane/access/roles.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace meiguan;
  const auto file = meiguan::fuzz::scratch() / access::kApplianceName;
  meiguan::fuzz::put(file, {reinterpret_cast<const char*>(data), size});
  const auto appliance = access::load_appliance(file);
  if (!appliance) {
    if (appliance.error().empty()) std::abort();
    for (const auto& error : appliance.error()) {
      if (error.message.english.empty() || error.message.chinese.empty()) std::abort();
      static_cast<void>(policy::render(error, Language::kEnglish, true));
      static_cast<void>(policy::render(error, Language::kChinese, false));
    }
    return 0;
  }
  // What is taken keeps within what the norms ask for, whatever the file says.
  if (appliance->audit.keep_days < audit::kLeastDays) std::abort();
  if (appliance->roles.lock_after == 0 || appliance->roles.lock_minutes == 0) std::abort();
  if (appliance->trust.signatures == 0) std::abort();
  return 0;
}
