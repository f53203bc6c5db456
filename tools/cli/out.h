#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace meiguan::cli {

// Standard output, or another descriptor, through one buffer. Where the reader has gone away the
// program ends quietly; where it cannot be written otherwise (disk full), with a message that has
// `name` and exit code 2.
class Out {
 public:
  explicit Out(int descriptor = 1, std::string name = "standard output",
               std::size_t buffer_bytes = std::size_t{1} << 18);
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;
  ~Out();

  void write(std::string_view text) {
    if (text.size() > capacity_ - buffer_.size()) {
      flush();
      if (text.size() > capacity_) {
        write_through(text);
        return;
      }
    }
    buffer_.append(text);
  }
  void line(std::string_view text) {
    write(text);
    write("\n");
  }
  void flush();

 private:
  void write_through(std::string_view text);
  int descriptor_;
  std::string name_;
  std::size_t capacity_;
  std::string buffer_;
};

}  // namespace meiguan::cli
