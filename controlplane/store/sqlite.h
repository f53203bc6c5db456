#pragma once

// The little of SQLite that the store needs: a connection, a statement.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace meiguan::store {

// One prepared statement. Columns and parameters count from 0.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* connection, std::string_view sql);

  void bind(int at, std::int64_t value);
  // The text must live until the statement was stepped.
  void bind(int at, std::string_view text);
  void bind_bytes(int at, std::string_view bytes);
  // True: there is a row. False: done, or failed(); either way it can be bound anew.
  [[nodiscard]] bool step();
  // Runs to the end; false where it failed.
  [[nodiscard]] bool run();
  void reset();
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  bool failed_{true};
};

class Connection {
 public:
  enum class Mode : std::uint8_t { kWrite, kRead };

  [[nodiscard]] static Result<Connection> open(const std::filesystem::path& path, Mode mode);

  // False where it failed; error() says why.
  [[nodiscard]] bool execute(const char* sql);
  [[nodiscard]] Statement prepare(std::string_view sql) { return {connection_.get(), sql}; }
  [[nodiscard]] std::int64_t last_id() const;
  // The bytes are not those of a database that we could have written.
  [[nodiscard]] bool damaged() const;
  [[nodiscard]] Error error() const;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const noexcept;
  };
  Connection(sqlite3* connection, std::filesystem::path path)
      : connection_{connection}, path_{std::move(path)} {}
  std::unique_ptr<sqlite3, Close> connection_;
  std::filesystem::path path_;
};

// Renames the file and what belongs to it so that it is not opened again; the new name.
std::filesystem::path set_aside(const std::filesystem::path& path);
// Removes the file and what belongs to it.
void remove_database(const std::filesystem::path& path);

}  // namespace meiguan::store
