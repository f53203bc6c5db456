#pragma once

// Fragments whose datagram is not whole yet: virtual reassembly. Nothing is put together; the
// frames stay as they came, and go on, each by itself, once all of them are there and their
// datagram has been judged (RFC 791 section 3.2, RFC 8200 section 4.5).
//
//   bucket -> Datagram --> parts, sorted by offset: HeldFragment -> HeldFragment -> ...
//               |
//               +-- by age, of its family: it ends when its time is out
//               +-- Source of its address: how much that holds, and its datagrams by age
//               +-- Source of its /27 or /64: how much all addresses there hold
//
// A datagram of which two fragments overlap or contradict each other, or that has too many, is
// given up whole, and stays as a tombstone that refuses what comes of it later (RFC 5722). A source
// that is at its share gives up its own oldest datagram, never another's. All memory is taken at
// start.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"

namespace meiguan::fastpath {

// What a fragment says of itself.
struct FragmentPart {
  std::uint32_t identification{0};
  std::uint16_t offset{0};   // of its part of the datagram, in bytes
  std::uint16_t bytes{0};    // of that part
  std::uint16_t at{0};       // where that part begins in the frame
  std::uint16_t upper{0};    // of a first one: the extension headers in front of the upper layer
  std::uint16_t headers{0};  // what counts towards the datagram's length beside its parts
  std::uint8_t next{0};      // IPv6: what the fragment header says follows
  bool more{false};

  [[nodiscard]] std::uint32_t end() const noexcept { return std::uint32_t{offset} + bytes; }
};

// Reads it from a frame that `parse` found to be a fragment; false where it is none.
[[nodiscard]] bool read_fragment(std::span<const std::uint8_t> frame, const PacketInfo& info,
                                 FragmentPart& part) noexcept;

// What fragments of one datagram have in common (RFC 791 section 2.3, RFC 8200 section 4.5), and
// where they came from: address spaces and zones never meet in one.
struct DatagramKey {
  net::Address source;
  net::Address destination;
  std::uint32_t identification{0};
  std::uint16_t space{0};
  std::uint16_t zone{0};
  std::uint8_t protocol{0};  // IPv4 only: of IPv6 the first fragment's counts
  net::Family family{net::Family::kIpv4};

  friend bool operator==(const DatagramKey&, const DatagramKey&) = default;
};

struct HeldFragment {
  Frame frame;
  Fate fate;  // as far as known at arrival; whole when released
  FragmentPart part;
  std::uint64_t sequence{0};     // its place among all packets of the pipeline
  std::uint32_t generation{0};   // by which its addresses were judged
  std::uint32_t frame_bytes{0};  // as received
  std::uint16_t space{0};
  bool counted{false};
  std::uint32_t next{~std::uint32_t{0}};
};

class FragmentStore {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::size_t kMostBytes = 65535;  // that a datagram can have

  struct Datagram {
    DatagramKey key;
    Tick deadline{0};
    Reason refused{Reason::kAllowed};  // else it is a tombstone
    std::uint16_t count{0};            // of its parts
    std::uint32_t parts{kNone};        // sorted by offset
    std::uint32_t last{kNone};         // of them
    std::uint32_t bytes{0};            // in its parts
    std::uint32_t total{kNone};        // once the last fragment is there
    std::uint32_t source{kNone};
    std::uint32_t network{kNone};
    std::uint32_t chained{kNone};                // in its bucket
    std::uint32_t older{kNone}, younger{kNone};  // of its family
    std::uint32_t source_older{kNone}, source_younger{kNone};
  };

  FragmentStore(const FragmentOptions& options, const HashSeed& seed);

  // From now on no more than this, of what it was made with, is held and for no longer. What is
  // held already stays until its time is out or its source gives it up.
  void begin(const FragmentOptions& wanted) noexcept;

  // Takes a fragment in. kAllowed: it is held, and `whole` is its datagram if that is whole now;
  // the caller finishes it before the next call. Else it is not held, for that reason. Either way
  // others may be given up for it.
  [[nodiscard]] Reason add(const DatagramKey& key, const HeldFragment& fragment, Tick now,
                           Datagram*& whole) noexcept;

  // The parts of a whole datagram, in order: while (part != nullptr) part = next_of(*part).
  [[nodiscard]] HeldFragment* first_of(const Datagram& datagram) noexcept {
    return at(datagram.parts);
  }
  [[nodiscard]] HeldFragment* next_of(const HeldFragment& part) noexcept { return at(part.next); }
  // What a whole datagram carries, in one piece; valid until the next call.
  [[nodiscard]] std::span<const std::uint8_t> gather(const Datagram& datagram) noexcept;
  // Releases its parts with their fates as they are, and forgets it.
  void finish(Datagram& datagram) noexcept;

  // Gives up a bounded number of datagrams whose time is out.
  void expire(Tick now) noexcept;
  // Gives up everything that is held. `ports_stay` is false where port numbers have changed their
  // meaning: then the fates name none.
  void give_up_all(bool ports_stay) noexcept;

  // Takes a released fragment out, in order of release; false where there is none. What was given
  // up is not `counted` yet.
  [[nodiscard]] bool take_released(HeldFragment& fragment) noexcept;

  [[nodiscard]] std::uint32_t held() const noexcept { return held_; }
  [[nodiscard]] std::uint32_t datagrams() const noexcept { return live_; }

 private:
  // What one source, or one network of sources, has in the store.
  struct Source {
    net::Address address;
    std::uint16_t space{0};
    bool network{false};
    std::uint32_t fragments{0};
    std::uint32_t datagrams{0};
    std::uint32_t oldest{kNone}, youngest{kNone};  // of its datagrams; a network keeps none
    std::uint32_t chained{kNone};
  };

  [[nodiscard]] HeldFragment* at(std::uint32_t part) noexcept {
    return part == kNone ? nullptr : &parts_[part];
  }
  [[nodiscard]] std::uint32_t number_of(const Datagram& d) const noexcept {
    return static_cast<std::uint32_t>(&d - datagrams_.data());
  }
  [[nodiscard]] std::uint32_t& bucket_of(const DatagramKey& key) noexcept;
  [[nodiscard]] std::uint32_t& source_bucket(const net::Address& address, std::uint16_t space,
                                             bool network) noexcept;
  [[nodiscard]] std::uint32_t find_source(const net::Address& address, std::uint16_t space,
                                          bool network) noexcept;
  void release_source(std::uint32_t number) noexcept;
  [[nodiscard]] Datagram* find(const DatagramKey& key) noexcept;
  [[nodiscard]] Datagram* begin(const DatagramKey& key, Tick now, Reason& refused) noexcept;
  void forget(Datagram& d) noexcept;
  // All parts of it are released as drops for `reason`; it stays.
  void give_up_parts(Datagram& d, Reason reason) noexcept;
  void spoil(Datagram& d, Reason reason) noexcept;
  // Gives up the oldest datagram of a source but `keep`; false where there is none.
  [[nodiscard]] bool give_up_oldest(std::uint32_t source, const Datagram* keep) noexcept;
  [[nodiscard]] Reason make_room(std::uint32_t source, std::uint32_t network,
                                 const Datagram* keep) noexcept;
  [[nodiscard]] Reason place(const Datagram& d, const HeldFragment& fragment,
                             std::uint32_t& previous) const noexcept;
  void insert(Datagram& d, const HeldFragment& fragment, std::uint32_t previous) noexcept;
  void release(std::uint32_t part) noexcept;
  void link(Datagram& d) noexcept;

  FragmentOptions most_;     // what it was made with
  FragmentOptions options_;  // of the image in force
  HashSeed seed_;
  std::vector<HeldFragment> parts_;
  std::vector<Datagram> datagrams_;
  std::vector<Source> sources_;
  std::vector<std::uint32_t> buckets_;
  std::vector<std::uint32_t> source_buckets_;
  std::vector<std::uint8_t> gathered_;
  std::uint32_t free_part_{kNone};
  std::uint32_t free_datagram_{kNone};
  std::uint32_t free_source_{kNone};
  std::uint32_t released_first_{kNone};
  std::uint32_t released_last_{kNone};
  struct Ages {
    std::uint32_t oldest{kNone}, youngest{kNone};
  };
  Ages ages_[2];  // IPv4, IPv6
  std::uint32_t held_{0};
  std::uint32_t live_{0};
};

}  // namespace meiguan::fastpath
