#include "controlplane/access/peer.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "controlplane/policy/message.h"

namespace meiguan::access {

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return policy::one_line(found->pw_name);
  }
  return "uid " + std::to_string(uid);
}

Peer peer_of_user(uid_t uid) {
  Peer peer;
  peer.uid = uid;
  peer.gid = static_cast<gid_t>(-1);
  peer.user = user_name(uid);
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return peer;  // a number without an account has no groups
  }
  peer.gid = found->pw_gid;
  int count = 64;
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    if (::getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) < 0) continue;
    groups.resize(static_cast<std::size_t>(count));
    peer.groups = std::move(groups);
    break;
  }
  return peer;
}

Result<Peer> peer_of(int socket) {
  struct ucred credentials {};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      size != sizeof credentials) {
    return fail(std::string{"who asks is not known: "} + std::strerror(errno),
                std::string{"无法得知请求者身份："} + std::strerror(errno));
  }
  Peer peer;
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  peer.pid = credentials.pid;
  peer.user = user_name(credentials.uid);
  std::vector<gid_t> groups(64);
  for (;;) {
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      peer.groups = std::move(groups);
      return peer;
    }
    // The kernel then says how much room it needs; groups that cannot be had are none.
    if (errno != ERANGE || size / sizeof(gid_t) <= groups.size()) return peer;
    groups.resize(size / sizeof(gid_t));
  }
}

}  // namespace meiguan::access
