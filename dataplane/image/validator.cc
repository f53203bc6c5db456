#include "dataplane/image/validator.h"

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/image/image_check.h"

namespace meiguan::image {
namespace {

std::unexpected<Error> damaged(std::string_view what) {
  return fail(fmt::format("the policy image is damaged: {}", what),
              fmt::format("策略映像已损坏：{}", what));
}

}  // namespace

std::uint64_t checksum_of(std::span<const std::byte> bytes) noexcept {
  // The checksum field lies inside the header; hash around it.
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.checksum = 0;
  const std::uint64_t head = XXH3_64bits(&header, sizeof header);
  return XXH3_64bits_withSeed(bytes.data() + sizeof header, bytes.size() - sizeof header, head);
}

Result<Image> Validator::validate(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(FileHeader) || bytes.size() > kMaxImageBytes) {
    return damaged("its size");
  }
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kSectionAlignment != 0) {
    return damaged("its alignment in memory");
  }
  Image image;
  image.bytes_ = bytes;
  const FileHeader& header = image.header();
  if (header.magic != kMagic) {
    return fail("this file is not a policy image", "此文件不是策略映像");
  }
  if (header.version != kFormatVersion || header.section_count != kSections) {
    return fail(fmt::format("the policy image has format version {}, this program reads version {};"
                            " compile the policy again",
                            header.version, kFormatVersion),
                fmt::format("策略映像格式版本为 {}，本程序读取版本 {}；请重新编译策略",
                            header.version, kFormatVersion));
  }
  if (header.bytes != bytes.size()) return damaged("it is cut short or has bytes too many");
  if (header.checksum != checksum_of(bytes)) return damaged("its checksum");

  std::uint64_t end = sizeof(FileHeader);
  bool in_range = true;
  const auto take = [&]<typename T>(Section section, std::span<const T>& out) {
    const SectionRef& ref = header.sections[static_cast<std::size_t>(section)];
    if (ref.size != sizeof(T) || ref.offset % kSectionAlignment != 0 || ref.offset < end ||
        ref.offset > bytes.size() || ref.count > (bytes.size() - ref.offset) / sizeof(T)) {
      in_range = false;
      return;
    }
    end = ref.offset + ref.count * sizeof(T);
    out = {reinterpret_cast<const T*>(bytes.data() + ref.offset),
           static_cast<std::size_t>(ref.count)};
  };
  std::span<const Meta> meta;
  take(Section::kMeta, meta);
  take(Section::kZones, image.zones_);
  take(Section::kSpaces, image.spaces_);
  take(Section::kSpaceKeys, image.space_keys_);
  take(Section::kZoneSets, image.zone_sets_);
  take(Section::kObjectIsolation, image.object_isolation_);
  take(Section::kPortIsolation, image.port_isolation_);
  take(Section::kTrieNodes, image.trie_nodes_);
  take(Section::kTrieEntries, image.trie_entries_);
  image.route_nodes_ = image.trie_nodes_;
  image.route_entries_ = image.trie_entries_;
  take(Section::kAtoms, image.atoms_);
  take(Section::kUnits, image.units_);
  take(Section::kServices, image.services_);
  take(Section::kRules, image.rules_);
  take(Section::kTerminals, image.terminals_);
  take(Section::kSourceClasses, image.source_classes_);
  take(Section::kPortMaps, image.port_maps_);
  take(Section::kPortBreaks, image.port_breaks_);
  take(Section::kTargets, image.targets_);
  take(Section::kTargetClasses, image.target_classes_);
  take(Section::kRows, image.rows_);
  take(Section::kStripes, image.stripes_);
  take(Section::kCells, image.cells_);
  take(Section::kBranches, image.branches_);
  take(Section::kOutcomes, image.outcomes_);
  take(Section::kAuditRules, image.audit_rules_);
  take(Section::kUtcOffsets, image.utc_offsets_);
  take(Section::kSchedules, image.schedules_);
  take(Section::kScheduleDates, image.schedule_dates_);
  take(Section::kConditions, image.conditions_);
  take(Section::kPorts, image.ports_);
  take(Section::kPortAddresses, image.port_addresses_);
  take(Section::kRoutes, image.routes_);
  take(Section::kNeighbours, image.neighbours_);
  take(Section::kLocalServices, image.local_services_);
  take(Section::kNatPrefixes, image.nat_prefixes_);
  take(Section::kPublishes, image.publishes_);
  take(Section::kPublishEndpoints, image.publish_endpoints_);
  take(Section::kEgresses, image.egresses_);
  take(Section::kPools, image.pools_);
  take(Section::kNptPrefixes, image.npt_prefixes_);
  take(Section::kSourceEgress, image.source_egress_);
  take(Section::kTranslates, image.translates_);
  take(Section::kLimits, image.limits_);
  take(Section::kTimeouts, image.timeouts_);
  std::span<const GatewayLimits> gateway_limits;
  take(Section::kGatewayLimits, gateway_limits);
  if (!in_range || meta.size() != 1 || gateway_limits.size() != 1) {
    return damaged("its table of sections");
  }
  image.meta_ = meta.data();
  image.gateway_limits_ = gateway_limits.data();

  const ImageCheck check{image,
                         {image.trie_nodes_, image.trie_entries_, image.rows_, image.stripes_,
                          image.port_isolation_, image.object_isolation_,
                          image.port_addresses_.size(), image.source_egress_}};
  if (const char* wrong = check.zones()) return damaged(wrong);
  for (const char* wrong :
       {check.isolation_tables(), check.objects(), check.times(), check.terminals(),
        check.gateway(), check.translations(), check.limits(), check.matrix(), check.tries()}) {
    if (wrong != nullptr) return damaged(wrong);
  }
  for (const ServiceRecord& service : image.services_) {
    if (service.helper != Helper::kOff) image.has_helpers_ = true;
  }
  return image;
}

Result<Image> Image::open(std::span<const std::byte> bytes) { return Validator::validate(bytes); }

}  // namespace meiguan::image
