#include "controlplane/kernel/verdicts.h"

#include <algorithm>

#include "dataplane/fastpath/judge.h"

namespace meiguan::kernel {
namespace {

using fastpath::Opening;
using fastpath::Reason;
using net::Family;

constexpr std::uint64_t kMostQuestions = 100'000'000;  // some ten seconds
constexpr std::size_t kMostAnswers = 60'000;
constexpr std::uint32_t kLastKey = 0xff'ffff;

// A span of keys at the addresses of one class: what is asked of as one.
struct Slot {
  std::uint32_t end_class{0};
  std::uint32_t first{0};
  std::uint32_t last{0};
};

class Asker {
 public:
  Asker(const image::Image& image, const image::Moment& moment) : image_{image}, moment_{moment} {}

  std::optional<Verdicts> run() {
    result_.ends = find_ends(image_);
    find_slots();
    const std::uint64_t questions = std::uint64_t{image_.ports().size()} *
                                    result_.ends.classes.size() * slots_.size();
    if (questions > kMostQuestions) return std::nullopt;
    find_rows();
    if (result_.answers.size() > kMostAnswers) return std::nullopt;
    merge_columns();
    find_destinations();
    return std::move(result_);
  }

 private:
  void find_slots() {
    const auto& classes = result_.ends.classes;
    for (std::uint32_t c = 0; c < classes.size(); ++c) {
      const image::PortMap& map = image_.port_maps()[image_.atoms()[classes[c].atom].port_map];
      const auto breaks = image_.port_breaks().subspan(map.first_break, map.breaks);
      for (std::size_t i = 0; i < breaks.size(); ++i) {
        slots_.push_back(
            {c, breaks[i].key, i + 1 < breaks.size() ? breaks[i + 1].key - 1 : kLastKey});
      }
    }
  }

  // A packet from a class to itself is asked with two different addresses where it has them.
  [[nodiscard]] Answer ask(PortId in, const EndClass& from, const Slot& slot) const {
    const EndClass& to = result_.ends.classes[slot.end_class];
    Opening opening;
    opening.family = from.family;
    opening.protocol = {static_cast<std::uint8_t>(slot.first >> 16),
                        static_cast<std::uint16_t>(slot.first)};
    opening.source = from.one;
    opening.destination = to.one == from.one ? to.another : to.one;
    opening.in = in;
    fastpath::Routes routes;
    const Reason reason = fastpath::judge_addresses(image_, opening, routes);
    if (reason != Reason::kAllowed) return {reason, {}};
    if (routes.to_gateway) return {Reason::kForGateway, {}};
    const auto judgement = fastpath::judge_access(image_, moment_, opening, routes);
    return {judgement.reason, judgement.rule};
  }

  std::uint16_t number_of(const Answer& answer) {
    const auto [it, added] =
        answer_numbers_.try_emplace(answer, static_cast<std::uint16_t>(result_.answers.size()));
    if (added) result_.answers.push_back(answer);
    return it->second;
  }

  void find_rows() {
    const auto& classes = result_.ends.classes;
    const std::uint16_t other_family = number_of({});
    std::map<std::vector<std::uint16_t>, std::uint32_t> numbers;
    result_.row_of.resize(image_.ports().size());
    for (std::size_t port = 0; port < image_.ports().size(); ++port) {
      for (const EndClass& from : classes) {
        std::vector<std::uint16_t> row;
        row.reserve(slots_.size());
        for (const Slot& slot : slots_) {
          const bool same = classes[slot.end_class].family == from.family;
          row.push_back(same ? number_of(ask(PortId{static_cast<PortId::rep>(port)}, from, slot))
                             : other_family);
        }
        const auto fresh = static_cast<std::uint32_t>(result_.rows.size());
        const auto [it, added] = numbers.try_emplace(row, fresh);
        if (added) result_.rows.push_back(std::move(row));
        result_.row_of[port].push_back(it->second);
      }
    }
  }

  // Slots of which every row says the same are one column.
  void merge_columns() {
    std::map<std::vector<std::uint16_t>, std::uint32_t> numbers;
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      std::vector<std::uint16_t> column;
      column.reserve(result_.rows.size());
      for (const auto& row : result_.rows) column.push_back(row[slot]);
      const auto fresh = static_cast<std::uint32_t>(numbers.size());
      column_of_.push_back(numbers.try_emplace(std::move(column), fresh).first->second);
    }
    for (auto& row : result_.rows) {
      std::vector<std::uint16_t> merged(numbers.size());
      for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
        merged[column_of_[slot]] = row[slot];
      }
      row = std::move(merged);
    }
  }

  void find_destinations() {
    const auto& classes = result_.ends.classes;
    std::map<Destination, std::uint32_t> numbers;
    std::size_t slot = 0;
    for (std::uint32_t c = 0; c < classes.size(); ++c) {
      Destination destination;
      for (; slot < slots_.size() && slots_[slot].end_class == c; ++slot) {
        auto& keys = destination.keys;
        if (!keys.empty() && keys.back().column == column_of_[slot]) {
          keys.back().last = slots_[slot].last;
        } else {
          keys.push_back({slots_[slot].first, slots_[slot].last, column_of_[slot]});
        }
      }
      const image::RouteRecord* const route = image_.route_to(SpaceId{0}, classes[c].one);
      if (route == nullptr) {
        result_.destination_of.emplace_back();
        continue;
      }
      destination.out = PortId{route->port};
      const auto fresh = static_cast<std::uint32_t>(result_.destinations.size());
      const auto [it, added] = numbers.try_emplace(destination, fresh);
      if (added) result_.destinations.push_back(std::move(destination));
      result_.destination_of.emplace_back(it->second);
    }
  }

  const image::Image& image_;
  const image::Moment& moment_;
  Verdicts result_;
  std::vector<Slot> slots_;               // by class, then key
  std::vector<std::uint32_t> column_of_;  // by slot
  std::map<Answer, std::uint16_t> answer_numbers_;
};

}  // namespace

std::optional<Verdicts> find_verdicts(const image::Image& image, const image::Moment& moment) {
  return Asker{image, moment}.run();
}

}  // namespace meiguan::kernel
