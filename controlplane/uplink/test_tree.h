#pragma once

// Three nodes, one above the other, and what can go wrong between them.

#include <stdlib.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "controlplane/uplink/test_batches.h"
#include "controlplane/uplink/test_tier.h"

namespace meiguan::uplink {

class Directory {
 public:
  Directory() {
    // In memory where that can be: a full sync takes its time.
    const std::filesystem::path top = std::filesystem::is_directory("/dev/shm")
                                          ? "/dev/shm"
                                          : std::filesystem::temp_directory_path();
    std::string name = (top / "meiguan-uplink-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

// A kill between any two steps of either side looks like one of these.
enum class Fault {
  kNone,
  kLostRequest,
  kLostReply,
  kParentBehindSpool,
  kParentBehindStore,
  kChild
};

// County, prefecture, province.
struct Tree {
  Directory directory;
  Tier county{directory.path / "county", "360121"};
  Tier city{directory.path / "city", "3601"};
  Tier province{directory.path / "province", "36"};
  Tree() {
    county.connect(city);
    city.connect(province);
  }
  // The county's requests go as `fault` says then.
  void break_by(Fault& fault) {
    county.wire = [this, &fault](std::string_view target,
                                 std::string_view body) -> Result<web::Answer> {
      if (fault == Fault::kLostRequest) return fail("cut", "中断");
      city.dies_behind_spool = fault == Fault::kParentBehindSpool;
      auto answer = city.ask("360121", target, body);
      city.dies_behind_spool = false;
      if (fault == Fault::kParentBehindSpool || fault == Fault::kParentBehindStore) city.start();
      if (fault == Fault::kNone) return answer;
      return fail("cut", "中断");
    };
  }
};

inline store::Batch batch_at(std::uint64_t sequence, std::int64_t packets,
                             store::Stream stream = store::Stream::kBulk) {
  auto batch = sample_batch("360121", sequence, packets);
  batch.minute += static_cast<std::int64_t>(sequence) * 60;
  batch.stream = stream;
  return batch;
}

// What the parent makes of one batch of that child's.
inline std::string said(Tier& parent, const std::string& child, const store::Batch& batch) {
  const auto answer = parent.ask(child, kBatchesTarget, packed(batch));
  BOOST_REQUIRE(answer.has_value());
  if (answer->status != 200) return std::to_string(answer->status);
  const auto parsed = boost::json::parse(answer->body);
  const auto& one = parsed.at("results").as_array().at(0).as_object();
  std::string text{one.at("is").as_string()};
  if (const auto* const expects = one.if_contains("expects")) {
    text += " " + std::to_string(expects->as_int64());
  }
  return text;
}

}  // namespace meiguan::uplink
