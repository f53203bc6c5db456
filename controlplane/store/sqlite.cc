#include "controlplane/store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <system_error>

namespace meiguan::store {
namespace {

constexpr int kBusyMs = 10'000;
constexpr std::array<const char*, 2> kBeside{"-wal", "-shm"};

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* connection, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  failed_ = sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()),
                               SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK;
  statement_.reset(statement);
}

void Statement::bind(int at, std::int64_t value) {
  if (statement_) sqlite3_bind_int64(statement_.get(), at + 1, value);
}

void Statement::bind(int at, std::string_view text) {
  // A null pointer would be NULL, and an empty view may have one.
  const char* const data = text.data() == nullptr ? "" : text.data();
  if (statement_) {
    sqlite3_bind_text(statement_.get(), at + 1, data, static_cast<int>(text.size()), SQLITE_STATIC);
  }
}

void Statement::bind_bytes(int at, std::string_view bytes) {
  const char* const data = bytes.data() == nullptr ? "" : bytes.data();
  if (statement_) {
    sqlite3_bind_blob(statement_.get(), at + 1, data, static_cast<int>(bytes.size()),
                      SQLITE_STATIC);
  }
}

bool Statement::step() {
  if (!statement_) return false;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  failed_ = code != SQLITE_DONE;
  sqlite3_reset(statement_.get());
  return false;
}

bool Statement::run() {
  while (step()) {
  }
  return !failed_;
}

void Statement::reset() {
  if (statement_) sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  // reinterpret_cast: bytes as bytes.
  const auto* const data = reinterpret_cast<const char*>(
      sqlite3_column_text(statement_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::bytes(int column) const {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Connection::Close::operator()(sqlite3* connection) const noexcept {
  sqlite3_close_v2(connection);
}

Result<Connection> Connection::open(const std::filesystem::path& path, Mode mode) {
  sqlite3* raw = nullptr;
  const int flags = mode == Mode::kRead ? SQLITE_OPEN_READONLY
                                        : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection{raw, path};
  if (code != SQLITE_OK) return std::unexpected{connection.error()};
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyMs);
  // What is in the file is not to be trusted: another could have put it there.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return connection;
}

bool Connection::execute(const char* sql) {
  return sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

std::int64_t Connection::last_id() const { return sqlite3_last_insert_rowid(connection_.get()); }

bool Connection::damaged() const {
  const int code = sqlite3_errcode(connection_.get()) & 0xff;
  // Nothing wrong for SQLite: it was our own look at the numbers that failed.
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return true;
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ||
         code == SQLITE_SCHEMA || code == SQLITE_FORMAT;
}

Error Connection::error() const {
  const char* const why = connection_ ? sqlite3_errmsg(connection_.get()) : "out of memory";
  return {{fmt::format("statistics store: {}: {}", path_.string(), why),
           fmt::format("统计库：{}：{}", path_.string(), why)}};
}

std::filesystem::path set_aside(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path aside;
  for (int i = 1; i < 10'000; ++i) {
    aside = path;
    aside += fmt::format(".damaged-{}", i);
    if (!std::filesystem::exists(aside, error)) break;
  }
  std::filesystem::rename(path, aside, error);
  if (error) std::filesystem::remove(path, error);
  for (const char* const end : kBeside) std::filesystem::remove(path.string() + end, error);
  return aside;
}

void remove_database(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  for (const char* const end : kBeside) std::filesystem::remove(path.string() + end, error);
}

}  // namespace meiguan::store
