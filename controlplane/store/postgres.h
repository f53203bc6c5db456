#pragma once

// The little of libpq that the store needs.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

extern "C" {
typedef struct pg_conn PGconn;      // NOLINT: as libpq-fe.h has them
typedef struct pg_result PGresult;  // NOLINT
}

namespace meiguan::store {

class PgResult {
 public:
  explicit PgResult(PGresult* result) : result_{result} {}
  [[nodiscard]] bool ok() const;
  [[nodiscard]] int rows() const;
  [[nodiscard]] std::string_view text(int row, int column) const;
  [[nodiscard]] std::int64_t integer(int row, int column) const;
  [[nodiscard]] bool is_null(int row, int column) const;

 private:
  struct Clear {
    void operator()(PGresult* result) const noexcept;
  };
  std::unique_ptr<PGresult, Clear> result_;
};

class PgConnection {
 public:
  [[nodiscard]] static Result<PgConnection> open(const std::string& connection);

  // Parameters are text, whatever stands in them.
  [[nodiscard]] PgResult run(const std::string& sql,
                             const std::vector<std::string>& parameters = {});
  // Rows of COPY text format, each already ended by a line feed.
  [[nodiscard]] bool copy_in(const std::string& sql, const std::string& rows);
  // Rows of a query, in pieces, each a row of COPY text format without its line feed; false:
  // failed.
  template <typename Take>
  [[nodiscard]] bool copy_out(const std::string& sql, const Take& take) {
    if (!begin_copy_out(sql)) return false;
    std::string row;
    while (next_copied(row)) take(row);
    return end_copy_out();
  }
  [[nodiscard]] bool alive() const;
  [[nodiscard]] Error error() const;

 private:
  struct Finish {
    void operator()(PGconn* connection) const noexcept;
  };
  explicit PgConnection(PGconn* connection) : connection_{connection} {}
  [[nodiscard]] bool begin_copy_out(const std::string& sql);
  [[nodiscard]] bool next_copied(std::string& row);
  [[nodiscard]] bool end_copy_out();
  std::unique_ptr<PGconn, Finish> connection_;
};

// A field of COPY text format.
[[nodiscard]] std::string copy_field(std::string_view text);

}  // namespace meiguan::store
