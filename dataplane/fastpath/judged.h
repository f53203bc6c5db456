#pragma once

// What becomes of a judgement, for the first packet of a flow and for one that is judged again.

#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {

// A route to where the packets of a side come from lies in that side's address space.
[[nodiscard]] inline std::uint32_t route_inside(const image::Image& image,
                                                const image::RouteRecord* route,
                                                std::uint16_t space) noexcept {
  return route != nullptr && image.ports()[route->port].space == space ? route_number(image, *route)
                                                                       : image::kNone;
}

inline void take_judgement(const Judgement& judgement, Fate& fate) noexcept {
  fate.reason = judgement.reason;
  fate.out = judgement.out;
  fate.rule = judgement.rule;
  fate.unit = judgement.unit;
  fate.to_unit = judgement.to_unit;
  fate.service = judgement.service;
}

// By which of the image's time-outs a flow to that service lives.
[[nodiscard]] inline std::uint8_t timeouts_of(const image::Image& image,
                                              ServiceId service) noexcept {
  return service.is_some() ? image.services()[service.index()].timeouts : std::uint8_t{0};
}

}  // namespace meiguan::fastpath
