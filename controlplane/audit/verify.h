#pragma once

// Reads an audit log from its first byte to its last and says where it is not what was written.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/audit/record.h"
#include "controlplane/crypto/keys.h"
#include "dataplane/base/result.h"

namespace meiguan::audit {

// How deep a record may be nested: deeper than a request, which stands inside one.
inline constexpr std::size_t kMaxDepth = 32;

enum class FlawKind : std::uint8_t {
  kChanged,    // a record does not follow from the one before: one of the two was changed
  kRemoved,    // numbers are missing
  kReordered,  // a number that was there already
  kNoRecord,   // a line that is no record
  kCut,        // records at the end, or a whole file, are gone
  kTorn,       // the last record was being written when the power went; no tampering
  kSignature,  // a signature does not hold
  kHead,       // the head cannot be read or is not the log's
  kFound,      // meiguan-controld found this flaw when it went on with the log, and wrote it down
};
// `changed`, `removed` and so on.
[[nodiscard]] std::string_view name_of(FlawKind kind) noexcept;

struct Flaw {
  FlawKind kind{};
  std::string file;         // base name
  std::uint64_t line{0};    // 1-based; 0: the file as a whole
  std::uint64_t record{0};  // the number it has or should have
  Text text;
};

struct Verdict {
  std::vector<Flaw> flaws;  // at most kMaxFlaws
  std::uint64_t files{0};
  std::uint64_t records{0};
  std::uint64_t first{0};  // number of the first record that is there
  std::uint64_t last{0};
  std::string last_hash{kNoHash};
  std::string last_time;
  std::uint64_t signatures{0};        // that hold
  std::uint64_t unsigned_records{0};  // behind the last signature that holds
  std::size_t torn_bytes{0};
  // No flaw but perhaps a torn end.
  [[nodiscard]] bool is_whole() const noexcept;
};
inline constexpr std::size_t kMaxFlaws = 1000;

// The bytes of one file of the log; for a file that is read, and for fuzzing.
class Verifier {
 public:
  using Visit = std::function<void(const Line&, std::string_view line)>;

  // Without a key signatures are counted as not checked. `visit` sees every record that is one.
  explicit Verifier(std::optional<crypto::PublicKey> key = {}, Visit visit = {});

  // Files in order. `is_last`: a line without its end may be torn.
  void add_file(const std::string& name, std::uint64_t number, std::string_view bytes,
                bool is_last);
  // `head`: the text of the head file; nothing where there is none.
  [[nodiscard]] Verdict finish(const std::optional<std::string>& head);

 private:
  void add_line(std::string_view line);
  void begin_file(const Line& record, std::string_view line);
  void check_signature(const Line& record, std::string_view line);
  void flaw(FlawKind kind, std::uint64_t record, Text text);

  std::optional<crypto::PublicKey> key_;
  Visit visit_;
  Verdict verdict_;
  crypto::HashKind kind_{crypto::HashKind::kSha256};
  std::string file_;
  std::uint64_t file_number_{0};
  std::uint64_t line_{0};
  std::uint64_t expired_files_{0};  // all up to here were removed because they were old
  std::uint64_t first_file_{0};
  std::string hash_before_last_{kNoHash};
};

// A whole log's directory. `key`: else that in `key.pem` of the directory, where there is one.
// Errors: it cannot be read, or holds no log.
[[nodiscard]] Result<Verdict> verify_directory(const std::filesystem::path& directory,
                                               std::optional<crypto::PublicKey> key = {},
                                               Verifier::Visit visit = {});

inline constexpr std::string_view kKeyName = "key.pem";

}  // namespace meiguan::audit
