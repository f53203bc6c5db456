#pragma once

// What a request of the command channel carries, as bytes.

#include <fmt/format.h>

#include <cstring>
#include <type_traits>

#include "dataplane/base/result.h"
#include "dataplane/channel/channel.h"

namespace meiguan::runtime {

// A request's payload, which must be exactly a T.
template <typename T>
requires std::is_trivially_copyable_v<T> Result<T> get(const channel::Message& request) {
  T value;
  if (request.payload.size() != sizeof(T)) {
    return fail(fmt::format("the request carries {} bytes; it should carry {}",
                            request.payload.size(), sizeof(T)),
                fmt::format("请求携带 {} 字节，应为 {} 字节", request.payload.size(), sizeof(T)));
  }
  std::memcpy(&value, request.payload.data(), sizeof(T));
  return value;
}

}  // namespace meiguan::runtime
