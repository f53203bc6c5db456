#include "controlplane/store/pack.h"

#include <algorithm>

namespace meiguan::store {
namespace {

// In order, what has the same number as one.
template <typename One, typename Number, typename Sum>
void merge(std::vector<One>& all, Number number, Sum sum) {
  const auto less = [&](const One& a, const One& b) { return a.*number < b.*number; };
  if (!std::ranges::is_sorted(all, less)) std::ranges::stable_sort(all, less);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (kept > 0 && all[kept - 1].*number == all[i].*number) {
      (all[kept - 1].*sum).add(all[i].*sum);
    } else {
      all[kept++] = all[i];
    }
  }
  all.resize(kept);
}

}  // namespace

bool add_to_pack(std::string& pack, std::vector<GroupSums> sums) {
  const bool whole = read_sums(pack, [&](const GroupSums& one) {
    sums.push_back(one);
    return true;
  });
  if (!whole) return false;
  merge(sums, &GroupSums::group, &GroupSums::sums);
  std::string out;
  out.reserve(sums.size() * 20);
  std::uint32_t last = 0;
  for (const auto& [group, s] : sums) {
    put_varint(out, group - last);
    last = group;
    for (const auto part : {s.packets, s.bytes, s.started, s.ended, s.peak_packets, s.peak_bytes}) {
      put_signed(out, part);
    }
  }
  pack = std::move(out);
  return true;
}

bool add_to_pack(std::string& pack, std::vector<NodeWatch> watches) {
  const bool whole = read_watches(pack, [&](const NodeWatch& one) {
    watches.push_back(one);
    return true;
  });
  if (!whole) return false;
  merge(watches, &NodeWatch::node, &NodeWatch::watch);
  std::string out;
  std::uint32_t last = 0;
  for (const auto& [node, watch] : watches) {
    put_varint(out, node - last);
    last = node;
    for (const auto part : {watch.watched_ms, watch.events_lost, watch.folded}) {
      put_signed(out, part);
    }
  }
  pack = std::move(out);
  return true;
}

}  // namespace meiguan::store
