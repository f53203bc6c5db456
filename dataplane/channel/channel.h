#pragma once

// The command channel between control plane and data plane: requests and answers over a
// SOCK_SEQPACKET Unix socket at `<run-dir>/dataplane.sock`, one answer for each request, in order.
// A message is one packet: MessageHeader, then `bytes` bytes of payload; file descriptors travel
// with it (SCM_RIGHTS). Both sides are of one build; another version is refused by both.
// Includes nothing of DPDK, so that the control plane can use it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/event.h"

namespace meiguan::channel {

inline constexpr std::uint32_t kVersion = 4;
inline constexpr std::size_t kMaxMessageBytes = 64 * 1024;
inline constexpr std::size_t kMaxDescriptors = 16;

enum class Request : std::uint32_t {
  kHello = 1,   // answer: HelloAnswer; descriptors: the counter segment, then each worker's ring
  kPublish,     // descriptor: a sealed memfd with an image; payload: PublishRequest or nothing;
                // answer: PublishAnswer
  kStatus,      // answer: StatusAnswer, PortState for each port, MachineState, RoutesState
  kFlows,       // payload FlowsRequest; answer: FlowsAnswer, then Events (kind kFlowPeriodic)
  kNeighbours,  // payload: std::uint32_t cursor; answer: std::uint32_t next, NeighbourState...
  kTrace,       // payload: std::uint32_t 0 or 1; answer: empty
  kBlocks,      // descriptor: a sealed memfd with a block list; answer: BlocksAnswer
  kBlockHits,   // payload: std::uint32_t cursor; answer: BlockHitsAnswer, then BlockHits
  kKeep,        // the image in force becomes the one that the data plane starts with; answer: empty
  kCapture,     // payload: CaptureRequest and its program (capture.h); answer: CaptureAnswer;
                // descriptor: the memory with its rings
  kCaptureEnd,  // whatever capture goes on; answer: empty
  kRoutes,      // payload: RoutesRequest; answer: RoutesAnswer, then RouteState...
};

struct MessageHeader {
  std::uint32_t version{kVersion};
  std::uint32_t type{0};    // of a Request; an answer repeats it
  std::uint32_t status{0};  // of an answer: 0 done, 1 refused: the payload is Refusal text
  std::uint32_t bytes{0};   // of the payload
};

// Payload of a refusal: English, a zero byte, Chinese.

struct HelloAnswer {
  std::uint64_t pid;
  std::uint64_t segment_bytes;
  std::uint64_t ring_events;  // capacity of each ring
  std::uint64_t ring_bytes;
  std::uint32_t workers;  // and as many rings; the segment has a block more, the main thread's
  std::uint32_t reserved;
};

// What a published image is taken with.
struct PublishRequest {
  // Not to be started with: it waits for a person to confirm it.
  static constexpr std::uint32_t kProvisional = 1;
  // Where it asks for other devices or workers, the ports are closed and opened anew: live flows
  // end. Without this such an image is refused.
  static constexpr std::uint32_t kMayReopen = 2;
  std::uint32_t flags{0};
  std::uint32_t reserved{0};
};

struct PublishAnswer {
  std::uint32_t generation;
  std::uint32_t reserved;
  std::uint64_t checksum;  // of the image now in force
};

struct StatusAnswer {
  std::uint64_t pid;
  std::uint64_t uptime_ms;
  std::uint64_t checksum;  // of the image in force; 0: none
  std::uint64_t policy_digest;
  std::uint32_t generation;  // 0: no image is in force
  std::uint32_t workers;
  std::uint32_t ports;  // PortStates that follow
  std::uint32_t live_flows;
  std::uint32_t flow_capacity;  // of all workers
  std::uint32_t neighbours;
  std::uint32_t alarms;  // kAlarm… bits
  std::uint32_t reserved;
};

// image.last was damaged: the data plane started with the image before it, or without any.
inline constexpr std::uint32_t kAlarmImageDamaged = 1;
// The image in force could not be kept on disk: a restart would begin with an earlier one.
inline constexpr std::uint32_t kAlarmImageNotKept = 2;
// The kernel's interface of a port could not be made: the gateway answers for itself there.
inline constexpr std::uint32_t kAlarmTapMissing = 4;
// The network interface of a port is gone; it is opened again when it is back.
inline constexpr std::uint32_t kAlarmPortGone = 8;
// The kernel has more routes by the TAPs than there is room for: the longest prefixes are left out.
inline constexpr std::uint32_t kAlarmRoutesFull = 16;
// The kernel's routes cannot be read: those of before hold.
inline constexpr std::uint32_t kAlarmRoutesUnread = 32;

struct PortState {
  std::array<char, 32> name;  // zero-terminated
  std::array<std::uint8_t, 6> mac;
  std::uint8_t link_up;
  std::uint8_t is_sub_port;
  std::uint32_t mtu;
  std::uint64_t device_missed;  // packets that the device had no room for (rx_missed, rx_nombuf)
  std::uint64_t device_errors;
  std::uint64_t transmit_failed;
};

// What passed between the wire and the kernel, by the TAPs of the ports; packets.
struct MachineState {
  std::uint64_t received;  // handed to the kernel
  std::uint64_t sent;      // the kernel's
  std::uint64_t refused;   // for the gateway, but not offered to the sender
  std::uint64_t limited;   // more than the rate, or no room in the queue to the main thread
  std::uint64_t unsent;    // the kernel's, but not from the port's own addresses
};

// Routes that the kernel has by the TAPs (`routes = "kernel"`).
struct RoutesState {
  std::uint32_t used;            // in force
  std::uint32_t unused;          // known, and not in force: RouteState says why
  std::uint32_t capacity;        // used and unused together are no more
  std::uint32_t ports;           // whose routes are taken; 0: `routes` is `file`
  std::uint64_t excess;          // in the kernel, beyond the capacity
  std::uint64_t unsupported;     // in the kernel, of a kind that cannot be followed
  std::uint64_t dumps;           // times that the kernel was asked
  std::uint64_t changes;         // times that what it said had changed
  std::uint64_t changed_ago_ms;  // since the last of these; kNever: none yet
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
};

struct RoutesRequest {
  std::uint32_t generation;  // 0: whatever is in force
  std::uint32_t cursor;
};

struct RoutesAnswer {
  std::uint32_t generation;   // in force; where another was asked for, nothing follows
  std::uint32_t next_cursor;  // 0: the end
};

struct RouteState {
  std::array<std::uint8_t, 16> prefix;
  std::array<std::uint8_t, 16> via;  // zero: on-link
  std::uint16_t port;
  std::uint16_t space;
  std::uint8_t length;
  std::uint8_t origin;  // 0 the gateway file, 1 connected, 2 the kernel
  std::uint8_t state;   // of the kernel's: image::LearnedState; else 0
  std::uint8_t reserved;
};

struct FlowsRequest {
  std::uint32_t worker;
  std::uint32_t cursor;
};

struct FlowsAnswer {
  std::uint32_t next_cursor;  // 0: this worker's end
  std::uint32_t events;
};

struct NeighbourState {
  std::array<std::uint8_t, 16> address;
  std::array<std::uint8_t, 6> mac;
  std::uint16_t port;
  std::uint8_t state;  // 0 unresolved, 1 reachable, 2 stale, 3 static
  std::array<std::uint8_t, 7> reserved;
};

struct BlocksAnswer {
  std::uint64_t checksum;    // of the list now in force
  std::uint32_t generation;  // 0: no image is in force yet
  std::uint32_t records;
};

struct BlockHitsAnswer {
  std::uint64_t checksum;     // of the list in force; 0: none
  std::uint32_t next_cursor;  // 0: the end
  std::uint32_t hits;         // that follow: of records that have dropped something
};

struct BlockHit {
  std::uint32_t record;  // of that list
  std::uint32_t reserved;
  std::uint64_t packets;
};

// A received message with what came with it. Descriptors are owned and closed on destruction.
class Message {
 public:
  Message() = default;
  Message(Message&& other) noexcept;
  Message& operator=(Message&& other) noexcept;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message();

  MessageHeader header;
  std::vector<std::byte> payload;
  std::vector<int> descriptors;

  // Takes a descriptor out; -1 where there is none.
  [[nodiscard]] int release_descriptor(std::size_t index) noexcept;
};

// Sends one message; errors: the peer is gone, the message is too large.
[[nodiscard]] Result<void> send(int socket, std::uint32_t type, std::uint32_t status,
                                std::span<const std::byte> payload,
                                std::span<const int> descriptors);
// Receives one message; blocks as the socket does. Errors: closed, another version, cut short.
[[nodiscard]] Result<Message> receive(int socket);

// The control plane's end.
class Client {
 public:
  [[nodiscard]] static Result<Client> connect(const std::filesystem::path& socket);
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // One request and its answer; a refusal is an Error with the data plane's own words. Times out
  // after 10 s.
  [[nodiscard]] Result<Message> ask(Request request, std::span<const std::byte> payload = {},
                                    std::span<const int> descriptors = {});

 private:
  explicit Client(int socket) noexcept : socket_{socket} {}
  int socket_{-1};
};

}  // namespace meiguan::channel
