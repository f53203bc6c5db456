#pragma once

// The little of libpq that the store needs.

#include <cstdint>
#include <functional>
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

// Rows of bigint and bytea on their way in, in COPY's binary format.
class CopyRows {
 public:
  CopyRows();
  void begin(std::int16_t columns);
  void add(std::int64_t number);
  void add(std::string_view bytes);
  // All of it; ends it.
  [[nodiscard]] std::string take();

 private:
  std::string bytes_;
};

// A row on its way out.
class CopiedRow {
 public:
  // False: it is no row of bigint and bytea, none of them null.
  [[nodiscard]] bool read(std::string_view row);
  [[nodiscard]] std::size_t columns() const noexcept { return fields_.size(); }
  [[nodiscard]] std::int64_t integer(std::size_t column) const;
  [[nodiscard]] std::string_view bytes(std::size_t column) const { return fields_.at(column); }

 private:
  std::vector<std::string_view> fields_;
};

class PgConnection {
 public:
  [[nodiscard]] static Result<PgConnection> open(const std::string& connection);

  // Parameters are text, whatever stands in them.
  [[nodiscard]] PgResult run(const std::string& sql,
                             const std::vector<std::string>& parameters = {});
  // Rows of COPY text format, each already ended by a line feed, or all that CopyRows has.
  [[nodiscard]] bool copy_in(const std::string& sql, const std::string& rows);
  // Gives `take` the rows of COPY (…) TO STDOUT (FORMAT binary), one by one; where it says false,
  // it is given no more. False: failed, or not all was taken.
  [[nodiscard]] bool copy_out(const std::string& sql,
                              const std::function<bool(const CopiedRow&)>& take);
  [[nodiscard]] bool alive() const;
  [[nodiscard]] Error error() const;

 private:
  struct Finish {
    void operator()(PGconn* connection) const noexcept;
  };
  explicit PgConnection(PGconn* connection) : connection_{connection} {}
  std::unique_ptr<PGconn, Finish> connection_;
};

// A field of COPY text format.
[[nodiscard]] std::string copy_field(std::string_view text);

}  // namespace meiguan::store
