#pragma once

// Certificates for tests, made while they run.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/web/tls.h"

namespace meiguan::web {

struct Wanted {
  std::vector<std::string> names;  // common names
  std::string alternative{"DNS:localhost,IP:127.0.0.1"};
  long valid_from_seconds{-60};  // from now
  long valid_to_seconds{3600};
};

// A certificate authority in a directory.
class TestAuthority {
 public:
  TestAuthority(std::filesystem::path directory, const std::string& name);
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  // Files `file`.pem and `file`.key with a certificate of this authority.
  [[nodiscard]] TlsFiles issue(const std::string& file, const Wanted& wanted);
  // A revocation list with that certificate on it.
  [[nodiscard]] std::filesystem::path revoke(const TlsFiles& files);
  [[nodiscard]] std::filesystem::path file() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace meiguan::web
