#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace meiguan::access {

// Who is at the other end of a local socket, as the kernel knew it when it was connected: nothing
// that the peer says of itself.
struct Peer {
  uid_t uid{0};
  gid_t gid{0};
  pid_t pid{0};
  std::vector<gid_t> groups;  // besides gid
  std::string user;           // the name of uid; where it has none, `uid 1000`
  // Of one who came over HTTPS, as the certificate of the connection says; else empty.
  std::string certificate;
  std::string address;

  [[nodiscard]] bool is_root() const noexcept { return uid == 0; }
};

// Errors: the socket is not a connected Unix socket.
[[nodiscard]] Result<Peer> peer_of(int socket);

// Over HTTPS, of a certificate that is nobody's: no user has this number (POSIX: an error of
// chown).
inline constexpr uid_t kNobody = static_cast<uid_t>(-1);
// A user of this system with his groups, as the system knows them now.
[[nodiscard]] Peer peer_of_user(uid_t uid);

// The name of a user, or `uid 1000` where it has none; fit for one line of a log.
[[nodiscard]] std::string user_name(uid_t uid);

}  // namespace meiguan::access
