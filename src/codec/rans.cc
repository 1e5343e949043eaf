#include "codec/rans.h"

#include <htscodecs/rANS_static4x16.h>

#include <algorithm>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

// Every stream ends with four states of 4 bytes.
constexpr std::size_t kStateBytes = 16;

// The library only reads these bytes, but its signature asks for writable ones.
unsigned char* Writable(const void* bytes) {
  return const_cast<unsigned char*>(static_cast<const unsigned char*>(bytes));
}

template <typename Found, typename Expected>
absl::Status Refuse(absl::string_view field, const Found& found, const Expected& expected) {
  return FieldError(absl::StrCat("rANS ", field), found, expected);
}

// Returns the size of the largest table of order 1, in bytes: an alphabet takes at most 3 bytes for
// 2 symbols and its end; each symbol has a row of frequencies, which take at most 2 bytes each, as
// does a run of zeros.
std::uint64_t MostTableBytes(int bits) {
  const std::uint64_t symbols = std::uint64_t{1} << bits;
  return 2 * symbols * symbols + 2 * symbols + 2;
}

// Checks what the library would trust: it allocates a table of the size that the stream states, and
// accepts other orders and transformations too.
class HeadChecker {
 public:
  HeadChecker(absl::string_view coded, int bits, std::size_t count)
      : rest_(coded), bits_(bits), count_(count) {}

  absl::Status Check() {
    CLEAVE_ASSIGN_OR_RETURN(const int order, Take("order"));
    if (order > 1) return Refuse("order", order, "0 or 1");
    CLEAVE_ASSIGN_OR_RETURN(const std::uint64_t length, TakeNumber("length"));
    if (length != count_) return Refuse("length", length, absl::StrCat(count_, " levels"));
    if (order == 1) CLEAVE_RETURN_IF_ERROR(CheckTable());
    if (rest_.size() >= kStateBytes) return absl::OkStatus();
    return Refuse("stream", absl::StrCat(rest_.size(), " bytes behind its head"),
                  absl::StrCat("at least ", kStateBytes));
  }

 private:
  absl::StatusOr<int> Take(absl::string_view field) {
    if (rest_.empty()) return Refuse(field, "the end", "a byte");
    const int byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  // Reads the specification's uint7 in its shortest form, since readers disagree where longer forms
  // end.
  absl::StatusOr<std::uint64_t> TakeNumber(absl::string_view field) {
    constexpr int kMostBytes = 5;
    std::uint64_t number = 0;
    for (int i = 0; i < kMostBytes; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const int byte, Take(field));
      if (i == 0 && byte == 0x80) return Refuse(field, "a leading zero", "its shortest form");
      number = number << 7 | static_cast<std::uint64_t>(byte & 0x7F);
      if (byte < 0x80) return number;
    }
    return Refuse(field, "more bytes", absl::StrCat("at most ", kMostBytes));
  }

  absl::Status CheckTable() {
    CLEAVE_ASSIGN_OR_RETURN(const int kind, Take("table"));
    if (const int shift = kind >> 4; (shift != 10 && shift != 12) || (kind & 0xE) != 0) {
      return Refuse("table", kind, "a shift of 10 or 12, compressed or not");
    }
    if ((kind & 1) == 0) return absl::OkStatus();
    CLEAVE_ASSIGN_OR_RETURN(const std::uint64_t whole, TakeNumber("table length"));
    if (whole < 1 || whole > MostTableBytes(bits_)) {
      return Refuse("table length", whole, absl::StrCat("1 to ", MostTableBytes(bits_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::uint64_t packed, TakeNumber("compressed table length"));
    if (packed > rest_.size()) {
      return Refuse("compressed table length", packed, absl::StrCat("at most ", rest_.size()));
    }
    rest_.remove_prefix(packed);
    return absl::OkStatus();
  }

  absl::string_view rest_;
  const int bits_;
  const std::size_t count_;
};

absl::Status CheckLevels(absl::string_view levels, int bits) {
  const auto out_of_range = [bits](char level) {
    return static_cast<unsigned char>(level) >> bits != 0;
  };
  // The loop has no early exit, so that it is vectorized.
  unsigned char all = 0;
  for (const char level : levels) all |= static_cast<unsigned char>(level);
  if (all >> bits == 0) return absl::OkStatus();
  const auto* const found = std::find_if(levels.begin(), levels.end(), out_of_range);
  return Refuse(absl::StrCat("level ", found - levels.begin()),
                static_cast<int>(static_cast<unsigned char>(*found)),
                absl::StrCat("at most ", (1 << bits) - 1));
}

}  // namespace

std::optional<std::string> RansEncode(std::span<const std::uint8_t> levels,
                                      std::size_t most_bytes) {
  const int order = levels.size() >= kLeastOrder1Levels ? 1 : 0;
  const auto count = static_cast<unsigned>(levels.size());
  unsigned size = rans_compress_bound_4x16(count, order);
  const std::unique_ptr<char[]> out(new (std::nothrow) char[size]);
  if (out == nullptr) return std::nullopt;
  const bool coded = rans_compress_to_4x16(Writable(levels.data()), count, Writable(out.get()),
                                           &size, order) != nullptr;
  // The library stores levels without any order where coding gains nothing, which is longer than
  // packing them.
  if (!coded || size > most_bytes || out[0] > 1) return std::nullopt;
  return std::string(out.get(), size);
}

absl::StatusOr<std::shared_ptr<char[]>> RansDecode(absl::string_view coded, int bits,
                                                   std::size_t count) {
  if (count > kMaxRansLevels) {
    return Refuse("levels", count, absl::StrCat("at most ", kMaxRansLevels));
  }
  CLEAVE_RETURN_IF_ERROR(HeadChecker(coded, bits, count).Check());
  std::shared_ptr<char[]> levels(new (std::nothrow) char[count]);
  if (levels == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for ", count, " levels"));
  }
  auto size = static_cast<unsigned>(count);
  if (rans_uncompress_to_4x16(Writable(coded.data()), static_cast<unsigned>(coded.size()),
                              Writable(levels.get()), &size) == nullptr ||
      size != count) {
    return Refuse("stream", "tables or states that do not fit",
                  absl::StrCat("one of ", count, " levels"));
  }
  CLEAVE_RETURN_IF_ERROR(CheckLevels({levels.get(), count}, bits));
  return levels;
}

}  // namespace cleave
