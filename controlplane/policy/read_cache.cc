#include "controlplane/policy/read_cache.h"

#include <algorithm>

namespace meiguan::policy {

void ReadCache::prepare(const PolicySource& source) {
  std::vector<File> files(source.files.size());
  for (std::size_t i = 0; i < files.size(); ++i) files[i].path = source.files[i].path;
  for (std::size_t n = 0; n < source.nodes.size(); ++n) {
    for (const std::uint32_t file : source.nodes[n].files) {
      files[file].node = NodeId{static_cast<std::uint32_t>(n)};
    }
  }
  const bool same = std::ranges::equal(files, files_, [](const File& a, const File& b) {
    return a.path == b.path && a.node == b.node;
  });
  if (!same) files_ = std::move(files);
}

const Draft* ReadCache::find(std::uint32_t file, std::string_view text) const {
  const File& known = files_[file];
  return known.known && known.text == text ? &known.said : nullptr;
}

void ReadCache::keep(std::uint32_t file, std::string_view text, const Draft& said) {
  File& known = files_[file];
  known.known = true;
  known.text = text;
  known.said = said;
}

void append(const Draft& said, Draft& draft) {
  const auto add = [](const auto& from, auto& to) {
    to.insert(to.end(), from.begin(), from.end());
  };
  add(said.zones, draft.zones);
  add(said.units, draft.units);
  add(said.terminals, draft.terminals);
  add(said.services, draft.services);
  add(said.groups, draft.groups);
  add(said.schedules, draft.schedules);
  add(said.rules, draft.rules);
  add(said.assertions, draft.assertions);
  add(said.publishes, draft.publishes);
  add(said.egresses, draft.egresses);
  add(said.translates, draft.translates);
}

}  // namespace meiguan::policy
