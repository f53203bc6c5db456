#include "controlplane/host/doctor.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

namespace meiguan::host {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMib = std::uint64_t{1} << 20;
constexpr std::uint64_t kHugeMibWanted = 256;   // what meiguan-dataplane asks for at least
constexpr std::uint64_t kDiskMibWanted = 1024;  // images, revisions and records

using Remarks = std::vector<Remark>;

std::optional<std::string> line_of(const fs::path& file) {
  std::ifstream in{file};
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  return line;
}

std::optional<std::uint64_t> number_of(const fs::path& file) {
  std::ifstream in{file};
  std::uint64_t number = 0;
  if (!(in >> number)) return std::nullopt;
  return number;
}

void check_huge_pages(const Machine& machine, Remarks& remarks) {
  std::uint64_t free_kib = 0;
  std::uint64_t total_kib = 0;
  std::error_code error;
  const fs::path kinds = machine.root / "sys/kernel/mm/hugepages";
  for (const auto& kind : fs::directory_iterator{kinds, error}) {
    const std::string name = kind.path().filename().string();  // hugepages-2048kB
    const auto dash = name.find('-');
    if (dash == std::string::npos) continue;
    const std::uint64_t page_kib = std::strtoull(name.c_str() + dash + 1, nullptr, 10);
    free_kib += number_of(kind.path() / "free_hugepages").value_or(0) * page_kib;
    total_kib += number_of(kind.path() / "nr_hugepages").value_or(0) * page_kib;
  }
  Remark remark{"huge-pages",
                Health::kGood,
                {fmt::format("{} MB, {} MB of them free", total_kib / 1024, free_kib / 1024),
                 fmt::format("共 {} MB，空闲 {} MB", total_kib / 1024, free_kib / 1024)},
                {}};
  if (total_kib / 1024 < kHugeMibWanted) {
    remark.health = Health::kBad;
    remark.fix = {
        "reserve them: sysctl vm.nr_hugepages=512, and for good "
        "/etc/sysctl.d/60-meiguan.conf",
        "请预留：sysctl vm.nr_hugepages=512；长期有效请写入 "
        "/etc/sysctl.d/60-meiguan.conf"};
  }
  remarks.push_back(std::move(remark));
}

void check_cores(Remarks& remarks) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int cores = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  Remark remark{"cores",
                cores >= 2 ? Health::kGood : Health::kWarning,
                {fmt::format("{} that may be used", cores), fmt::format("可用 {} 个", cores)},
                {}};
  if (cores < 2) {
    remark.fix = {"a worker wants a core of its own: give the machine another",
                  "工作线程需要独占一个核：请为机器增加处理器核"};
  }
  remarks.push_back(std::move(remark));
}

// The kernel must not forward between data ports past the policy.
void check_forwarding(const Machine& machine, Remarks& remarks) {
  struct Setting {
    const char* check;
    const char* name;
    const char* file;
  };
  const Setting settings[] = {{"kernel-forwarding-ipv4", "net.ipv4.ip_forward",
                               "proc/sys/net/ipv4/ip_forward"},
                              {"kernel-forwarding-ipv6", "net.ipv6.conf.all.forwarding",
                               "proc/sys/net/ipv6/conf/all/forwarding"}};
  for (const auto& [check, name, file] : settings) {
    const auto value = number_of(machine.root / file);
    if (!value) continue;  // a kernel without this family forwards none of it
    Remark remark{check,
                  *value == 0 ? Health::kGood : Health::kWarning,
                  {fmt::format("{} = {}", name, *value), fmt::format("{} = {}", name, *value)},
                  {}};
    if (*value != 0) {
      remark.fix = {fmt::format("the kernel forwards past the gateway's policy: sysctl {}=0", name),
                    fmt::format("内核会绕过网关策略转发：sysctl {}=0", name)};
    }
    remarks.push_back(std::move(remark));
  }
}

void check_clock(Remarks& remarks) {
  timex clock{};
  const int state = ::adjtimex(&clock);
  const bool synchronised = state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
  Remark remark{"clock",
                synchronised ? Health::kGood : Health::kWarning,
                synchronised ? Text{"synchronised", "已同步"} : Text{"not synchronised", "未同步"},
                {}};
  if (!synchronised) {
    remark.fix = {"schedules, records and signatures lean on it: install and set up chrony",
                  "时段、记录和签名都依赖时钟：请安装并配置 chrony"};
  }
  remarks.push_back(std::move(remark));
}

void check_disk(const Machine& machine, Remarks& remarks) {
  Remark remark{"disk", Health::kGood, {}, {}};
  struct statvfs disk {};
  if (::statvfs(machine.state_dir.c_str(), &disk) != 0) {
    const char* const why = std::strerror(errno);
    remark.health = Health::kBad;
    remark.found = {fmt::format("{}: {}", machine.state_dir.string(), why),
                    fmt::format("{}：{}", machine.state_dir.string(), why)};
    remark.fix = {"make the state directory, owned by the user that runs meiguan-controld",
                  "请建立状态目录，属主为运行 meiguan-controld 的用户"};
    remarks.push_back(std::move(remark));
    return;
  }
  const std::uint64_t free = disk.f_bavail * std::uint64_t{disk.f_frsize} / kMib;
  remark.found = {fmt::format("{} MB free at {}", free, machine.state_dir.string()),
                  fmt::format("{} 剩余 {} MB", machine.state_dir.string(), free)};
  if (free < kDiskMibWanted || disk.f_favail == 0) {
    remark.health = Health::kWarning;
    remark.fix = {fmt::format("make room: {} MB are wanted for images, revisions and records",
                              kDiskMibWanted),
                  fmt::format("请腾出空间：映像、版本和记录需要 {} MB", kDiskMibWanted)};
  }
  remarks.push_back(std::move(remark));
}

void check_sockets(const Machine& machine, Remarks& remarks) {
  for (const auto& [program, socket] : {std::pair{"meiguan-dataplane", "dataplane.sock"},
                                        std::pair{"meiguan-controld", "controld.sock"}}) {
    std::error_code error;
    const bool there = fs::is_socket(machine.run_dir / socket, error);
    Remark remark{program,
                  there ? Health::kGood : Health::kWarning,
                  there ? Text{"its socket is there", "套接字存在"}
                        : Text{"no socket, so it does not run", "没有套接字，未在运行"},
                  {}};
    if (!there) {
      remark.fix = {fmt::format("systemctl start {}; why it ended: journalctl -u {}", program,
                                program),
                    fmt::format("systemctl start {}；停止的原因见 journalctl -u {}", program,
                                program)};
    }
    remarks.push_back(std::move(remark));
  }
}

Remark kernel_interface(const Machine& machine, const std::string& interface) {
  const fs::path place = machine.root / "sys/class/net" / interface;
  std::error_code error;
  if (!fs::exists(place, error)) {
    return {{},
            Health::kBad,
            {fmt::format("there is no interface {}", interface),
             fmt::format("没有接口 {}", interface)},
            {"`ip link` shows those that there are: mend `device` in the gateway file",
             "`ip link` 可列出现有接口：请修改网关文件中的 device"}};
  }
  const std::string state = line_of(place / "operstate").value_or("unknown");
  if (state == "up" || state == "unknown") {
    return {{},
            Health::kGood,
            {fmt::format("interface {} is up", interface),
             fmt::format("接口 {} 已启用", interface)},
            {}};
  }
  return {{},
          Health::kWarning,
          {fmt::format("interface {} is {}", interface, state),
           fmt::format("接口 {} 的状态为 {}", interface, state)},
          {fmt::format("ip link set {} up; then look at the cable and the other end", interface),
           fmt::format("ip link set {} up；再检查网线和对端", interface)}};
}

Remark pci_device(const Machine& machine, const std::string& address) {
  const fs::path place = machine.root / "sys/bus/pci/devices" / address;
  std::error_code error;
  if (!fs::exists(place, error)) {
    return {{},
            Health::kBad,
            {fmt::format("there is no PCI device {}", address),
             fmt::format("没有 PCI 设备 {}", address)},
            {"`dpdk-devbind.py --status` shows those that there are",
             "`dpdk-devbind.py --status` 可列出现有设备"}};
  }
  const fs::path driver = fs::read_symlink(place / "driver", error).filename();
  const std::string name = error ? "none" : driver.string();
  if (name != "vfio-pci" && name != "mlx5_core" && name != "mlx4_core") {
    return {{},
            Health::kBad,
            {fmt::format("{} is bound to driver {}", address, name),
             fmt::format("{} 绑定的驱动是 {}", address, name)},
            {fmt::format("modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {}", address),
             fmt::format("modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {}", address)}};
  }
  if (name == "vfio-pci" && !fs::is_symlink(place / "iommu_group", error)) {
    return {
        {},
        Health::kWarning,
        {fmt::format("{} stands behind no IOMMU", address),
         fmt::format("{} 不在 IOMMU 之后", address)},
        {"switch it on: VT-d or AMD-Vi in the firmware, intel_iommu=on on the kernel's command "
         "line; without one the card can write anywhere",
         "请在固件中启用 VT-d 或 AMD-Vi，并在内核命令行加 intel_iommu=on；否则网卡可写任意内存"}};
  }
  return {{},
          Health::kGood,
          {fmt::format("{} is bound to {}", address, name),
           fmt::format("{} 已绑定到 {}", address, name)},
          {}};
}

void check_ports(const Machine& machine, Remarks& remarks) {
  for (const policy::GatewayPort& port : machine.ports) {
    if (!port.device_kind) continue;  // a sub-port stands on its parent
    Remark remark;
    switch (*port.device_kind) {
      case policy::DeviceKind::kAfXdp:
      case policy::DeviceKind::kAfPacket: remark = kernel_interface(machine, port.device); break;
      case policy::DeviceKind::kPci: remark = pci_device(machine, port.device); break;
      default: continue;  // made when the data plane starts
    }
    remark.check = "port " + port.name;
    remarks.push_back(std::move(remark));
  }
}

}  // namespace

Remarks examine(const Machine& machine) {
  Remarks remarks;
  check_huge_pages(machine, remarks);
  check_cores(remarks);
  check_forwarding(machine, remarks);
  check_clock(remarks);
  check_disk(machine, remarks);
  check_sockets(machine, remarks);
  check_ports(machine, remarks);
  return remarks;
}

}  // namespace meiguan::host
