#include "controlplane/store/postgres.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <charconv>

namespace meiguan::store {

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

bool PgConnection::begin_copy_out(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> begun{PQexec(connection_.get(), sql.c_str()),
                                                            PQclear};
  return PQresultStatus(begun.get()) == PGRES_COPY_OUT;
}

bool PgConnection::next_copied(std::string& row) {
  char* buffer = nullptr;
  const int bytes = PQgetCopyData(connection_.get(), &buffer, 0);
  if (bytes <= 0) return false;
  row.assign(buffer, static_cast<std::size_t>(bytes));
  PQfreemem(buffer);
  if (row.ends_with('\n')) row.pop_back();
  return true;
}

bool PgConnection::end_copy_out() {
  bool done = true;
  while (PGresult* const raw = PQgetResult(connection_.get())) {
    done = PQresultStatus(raw) == PGRES_COMMAND_OK && done;
    PQclear(raw);
  }
  return done;
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
