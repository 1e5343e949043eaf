#include "core/length_prefixed.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

static_assert(std::endian::native == std::endian::little, "lengths are taken as they are");

// Calls visit(element) with each element in order.
template <typename Visitor>
absl::Status ForEachElement(absl::string_view what, absl::string_view bytes, Visitor visit) {
  for (std::int64_t index = 0; !bytes.empty(); ++index) {
    std::uint32_t size = 0;
    if (bytes.size() < sizeof(size)) {
      return FieldError(absl::StrCat(what, ": element ", index),
                        absl::StrCat(bytes.size(), " bytes"), "4 bytes of length");
    }
    std::memcpy(&size, bytes.data(), sizeof(size));
    bytes.remove_prefix(sizeof(size));
    if (bytes.size() < size) {
      return FieldError(absl::StrCat(what, ": element ", index),
                        absl::StrCat(bytes.size(), " bytes"), absl::StrCat("its length of ", size));
    }
    visit(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return absl::OkStatus();
}

}  // namespace

std::string LengthPrefix(std::size_t size) {
  const auto length = static_cast<std::uint32_t>(size);
  return {reinterpret_cast<const char*>(&length), sizeof(length)};
}

absl::StatusOr<std::vector<absl::string_view>> SplitLengthPrefixed(absl::string_view what,
                                                                   absl::string_view bytes) {
  std::vector<absl::string_view> elements;
  CLEAVE_RETURN_IF_ERROR(ForEachElement(
      what, bytes, [&elements](absl::string_view element) { elements.push_back(element); }));
  return elements;
}

absl::StatusOr<std::int64_t> CountLengthPrefixed(absl::string_view what, absl::string_view bytes) {
  std::int64_t count = 0;
  CLEAVE_RETURN_IF_ERROR(ForEachElement(what, bytes, [&count](absl::string_view) { ++count; }));
  return count;
}

}  // namespace cleave
