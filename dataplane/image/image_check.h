#pragma once

// What the validator checks, in groups of sections. Every method answers the name of what is wrong,
// or null; zones() comes first, and the others rely on it.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/image/format.h"
#include "dataplane/image/reader.h"

namespace meiguan::image {

// The sections that an Image keeps to itself.
struct HiddenSections {
  std::span<const TrieNode> trie_nodes;
  std::span<const TrieEntry> trie_entries;
  std::span<const std::uint32_t> rows;
  std::span<const std::uint32_t> stripes;
  std::span<const std::uint8_t> port_isolation;
  std::span<const std::uint8_t> object_isolation;
  std::size_t port_addresses{0};  // how many
  std::span<const SourceEgress> source_egress;
};

class ImageCheck {
 public:
  ImageCheck(const Image& image, const HiddenSections& hidden)
      : image_{image},
        nodes_{hidden.trie_nodes},
        entries_{hidden.trie_entries},
        rows_{hidden.rows},
        stripes_{hidden.stripes},
        port_isolation_{hidden.port_isolation},
        object_isolation_{hidden.object_isolation},
        port_addresses_{hidden.port_addresses},
        source_egress_{hidden.source_egress} {}

  // image_check_objects.cc
  [[nodiscard]] const char* zones() const;
  [[nodiscard]] const char* isolation_tables() const;
  [[nodiscard]] const char* objects() const;
  [[nodiscard]] const char* terminals() const;
  // image_check_tries.cc
  [[nodiscard]] const char* tries() const;
  // image_check_matrix.cc
  [[nodiscard]] const char* times() const;
  [[nodiscard]] const char* matrix() const;
  // image_check_gateway.cc
  [[nodiscard]] const char* gateway() const;
  // image_check_nat.cc
  [[nodiscard]] const char* translations() const;
  // image_check_limits.cc
  [[nodiscard]] const char* limits() const;

 private:
  [[nodiscard]] bool walk(TrieEntry entry, std::uint8_t key_bytes, std::size_t values,
                          bool may_be_none, std::vector<std::uint8_t>& seen) const;
  [[nodiscard]] const char* nat_prefixes() const;
  [[nodiscard]] const char* publishes() const;
  [[nodiscard]] const char* egresses() const;
  [[nodiscard]] static bool is_value(TrieEntry leaf, std::size_t values, bool may_be_none);

  const Image& image_;
  std::span<const TrieNode> nodes_;
  std::span<const TrieEntry> entries_;
  std::span<const std::uint32_t> rows_;
  std::span<const std::uint32_t> stripes_;
  std::span<const std::uint8_t> port_isolation_;
  std::span<const std::uint8_t> object_isolation_;
  std::size_t port_addresses_;
  std::span<const SourceEgress> source_egress_;
};

}  // namespace meiguan::image
