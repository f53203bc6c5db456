#pragma once

// What another policy would change for the traffic of captures, summed up by unit, service and
// rule: who gains and who loses, in packets and flows, with an example of each.

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/analysis/replay.h"
#include "dataplane/fastpath/flow_key.h"

namespace meiguan::analysis {

// kGained: dropped before, passes now; kLost: the other way round; kOther: the same end for
// another reason, by another rule, unit or service, or out of another port.
enum class Change : std::uint8_t { kGained, kLost, kOther };
inline constexpr std::size_t kChanges = 3;

struct ChangeCount {
  std::uint64_t packets{0};
  std::uint64_t flows{0};  // that these packets belong to; packets of no flow count as none
};

struct ChangeExample {
  std::string file;
  std::uint64_t index{0};
  std::string packet;  // "10.65.64.37 -> 59.205.16.10:443/tcp"
  std::string was;     // "default-deny", "allowed 360000/budget-for-finance"
  std::string now;
};

enum class ChangeKind : std::uint8_t { kUnit, kService, kRule, kReason };

struct ChangeRow {
  ChangeKind kind{};
  std::string id;  // of rules the one that decides now; where none does the reason
  ChangeCount counts[kChanges];
  ChangeExample example;  // of a gain or a loss where there is one, from the initiator if possible
};

class ReplayChanges {
 public:
  // All are borrowed.
  ReplayChanges(const policy::Catalog& catalog, const policy::Catalog& baseline,
                const image::Image& image, const std::vector<ReplayInput>& inputs)
      : names_{catalog}, baseline_{baseline}, image_{image}, inputs_{inputs} {}

  // `packet` has a baseline and one of the two policies says something else of it.
  void add(const ReplayedPacket& packet);

  // Most packets first within each kind: units, services, rules, reasons.
  [[nodiscard]] std::vector<ChangeRow> rows() const;

 private:
  struct Row {
    ChangeRow row;
    unsigned rank{0};  // of the example: more is better
    std::unordered_set<std::uint64_t> flows;
  };
  struct KeyHash {
    std::size_t operator()(const fastpath::FlowKey& key) const noexcept;
  };
  struct KeyEqual {
    bool operator()(const fastpath::FlowKey& a, const fastpath::FlowKey& b) const noexcept {
      return a.words() == b.words();
    }
  };

  void count(ChangeKind kind, const std::string& id, Change change, std::uint64_t flow,
             const ReplayedPacket& packet, const std::string& text);
  // From 1; 0 for a packet of no flow.
  [[nodiscard]] std::uint64_t flow_of(const fastpath::FlowKey& key);

  Names names_;
  Names baseline_;
  const image::Image& image_;
  const std::vector<ReplayInput>& inputs_;
  std::unordered_map<fastpath::FlowKey, std::uint64_t, KeyHash, KeyEqual> flows_;
  std::map<std::pair<ChangeKind, std::string>, Row> rows_;
};

}  // namespace meiguan::analysis
