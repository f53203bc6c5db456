#include "controlplane/store/postgres.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <utility>

namespace meiguan::store {

namespace {

// "COPY (FORMAT binary)" of PostgreSQL's documentation: a signature, flags, an extension's length.
constexpr std::string_view kCopyHead{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
constexpr std::string_view kCopyEnd{"\377\377", 2};

template <typename Number>
void put_big(std::string& out, Number number) {
  const auto bits = static_cast<std::make_unsigned_t<Number>>(number);
  for (int shift = 8 * (static_cast<int>(sizeof(Number)) - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>((bits >> static_cast<unsigned>(shift)) & 0xffU);
  }
}

std::uint64_t big(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = (number << 8U) | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace

CopyRows::CopyRows() : bytes_{kCopyHead} {}

void CopyRows::begin(std::int16_t columns) { put_big(bytes_, columns); }

void CopyRows::add(std::int64_t number) {
  put_big(bytes_, std::int32_t{8});
  put_big(bytes_, number);
}

void CopyRows::add(std::string_view bytes) {
  put_big(bytes_, static_cast<std::int32_t>(bytes.size()));
  bytes_ += bytes;
}

std::string CopyRows::take() {
  bytes_ += kCopyEnd;
  return std::move(bytes_);
}

bool CopiedRow::read(std::string_view row) {
  fields_.clear();
  if (row.size() < 2) return false;
  const auto columns = big(row.substr(0, 2));
  row.remove_prefix(2);
  for (std::uint64_t i = 0; i < columns; ++i) {
    if (row.size() < 4) return false;
    const auto size = big(row.substr(0, 4));
    row.remove_prefix(4);
    if (size > row.size()) return false;  // of a null it is 2^32 - 1
    fields_.push_back(row.substr(0, static_cast<std::size_t>(size)));
    row.remove_prefix(static_cast<std::size_t>(size));
  }
  return row.empty();
}

std::int64_t CopiedRow::integer(std::size_t column) const {
  return static_cast<std::int64_t>(big(fields_.at(column)));
}

void PgResult::Clear::operator()(PGresult* result) const noexcept { PQclear(result); }

bool PgResult::ok() const {
  const auto status = PQresultStatus(result_.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

int PgResult::rows() const { return PQntuples(result_.get()); }

std::string_view PgResult::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t PgResult::integer(int row, int column) const {
  const auto digits = text(row, column);
  std::int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

bool PgResult::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

void PgConnection::Finish::operator()(PGconn* connection) const noexcept { PQfinish(connection); }

Result<PgConnection> PgConnection::open(const std::string& connection) {
  PgConnection opened{PQconnectdb(connection.c_str())};
  if (!opened.alive()) return std::unexpected{opened.error()};
  // Notices of what exists already are nobody's business.
  if (!opened.run("SET client_min_messages = warning").ok() ||
      !opened.run("SET client_encoding = 'UTF8'").ok()) {
    return std::unexpected{opened.error()};
  }
  return opened;
}

PgResult PgConnection::run(const std::string& sql, const std::vector<std::string>& parameters) {
  if (parameters.empty()) return PgResult{PQexec(connection_.get(), sql.c_str())};
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter.c_str());
  return PgResult{PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                               nullptr, values.data(), nullptr, nullptr, 0)};
}

bool PgConnection::copy_in(const std::string& sql, const std::string& rows) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> begun{PQexec(connection_.get(), sql.c_str()),
                                                            PQclear};
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return false;
  constexpr std::size_t kAtOnce = std::size_t{1} << 20;
  bool put = true;
  for (std::size_t at = 0; put && at < rows.size(); at += kAtOnce) {
    const auto bytes = std::min(kAtOnce, rows.size() - at);
    put = PQputCopyData(connection_.get(), rows.data() + at, static_cast<int>(bytes)) == 1;
  }
  put = PQputCopyEnd(connection_.get(), nullptr) == 1 && put;
  while (PGresult* const raw = PQgetResult(connection_.get())) {
    put = PQresultStatus(raw) == PGRES_COMMAND_OK && put;
    PQclear(raw);
  }
  return put;
}

bool PgConnection::copy_out(const std::string& sql,
                            const std::function<bool(const CopiedRow&)>& take) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> begun{PQexec(connection_.get(), sql.c_str()),
                                                            PQclear};
  if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) return false;
  bool taken = true;
  bool first = true;
  CopiedRow row;
  for (char* buffer = nullptr;;) {
    const int bytes = PQgetCopyData(connection_.get(), &buffer, 0);
    if (bytes <= 0) break;
    const std::unique_ptr<char, decltype(&PQfreemem)> owned{buffer, PQfreemem};
    std::string_view message{buffer, static_cast<std::size_t>(bytes)};
    if (std::exchange(first, false)) {
      taken = message.size() >= kCopyHead.size() && message.starts_with(kCopyHead.substr(0, 11));
      message.remove_prefix(std::min(message.size(), kCopyHead.size()));
    }
    // What is not wanted any more must still be fetched.
    if (!taken || message.empty() || message == kCopyEnd) continue;
    taken = row.read(message) && take(row);
  }
  while (PGresult* const raw = PQgetResult(connection_.get())) {
    taken = PQresultStatus(raw) == PGRES_COMMAND_OK && taken;
    PQclear(raw);
  }
  return taken;
}

bool PgConnection::alive() const { return PQstatus(connection_.get()) == CONNECTION_OK; }

Error PgConnection::error() const {
  std::string why = PQerrorMessage(connection_.get());
  while (why.ends_with('\n')) why.pop_back();
  return {{fmt::format("statistics store: PostgreSQL: {}", why),
           fmt::format("统计库：PostgreSQL：{}", why)}};
}

std::string copy_field(std::string_view text) {
  std::string field;
  for (const char c : text) {
    switch (c) {
      case '\\': field += "\\\\"; break;
      case '\t': field += "\\t"; break;
      case '\n': field += "\\n"; break;
      case '\r': field += "\\r"; break;
      case '\0': break;  // no text of PostgreSQL's has one
      default: field += c;
    }
  }
  return field;
}

}  // namespace meiguan::store
