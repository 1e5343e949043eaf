#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "codec/image.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

static_assert(std::endian::native == std::endian::little, ".npy bytes are taken as they are");

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kMaxHeaderBytes = 1 << 16;
constexpr std::size_t kMaxRank = 32;

struct Descriptor {
  DataType dtype;
  absl::string_view text;
};

constexpr std::array kDescriptors = std::to_array<Descriptor>({
    {DataType::kFloat32, "<f4"},
    {DataType::kFloat16, "<f2"},
    {DataType::kFloat64, "<f8"},
    {DataType::kInt8, "|i1"},
    {DataType::kInt16, "<i2"},
    {DataType::kInt32, "<i4"},
    {DataType::kInt64, "<i8"},
    {DataType::kUint8, "|u1"},
    {DataType::kUint16, "<u2"},
    {DataType::kUint32, "<u4"},
    {DataType::kUint64, "<u8"},
    {DataType::kBool, "|b1"},
});

std::optional<DataType> ParseDescriptor(absl::string_view text) {
  for (const Descriptor& descriptor : kDescriptors) {
    if (descriptor.text == text) return descriptor.dtype;
  }
  return std::nullopt;
}

// The dictionary of the file's header, which is Python source with three entries.
struct Header {
  std::string descriptor;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

class HeaderReader {
 public:
  explicit HeaderReader(absl::string_view text) : rest_(text) {}

  // Returns what was expected at the first place that does not fit, or nothing if all fits.
  std::optional<std::string> Read(Header& header) {
    if (!Take("{")) return "'{'";
    while (!Take("}")) {
      const std::optional<std::string> key = TakeString();
      if (!key || !Take(":")) return "a quoted key and ':'";
      if (std::optional<std::string> problem = ReadValue(*key, header)) return problem;
      if (!Take(",") && !absl::StartsWith(rest_, "}")) return "',' or '}'";
    }
    if (!rest_.empty()) return "nothing after '}'";
    return std::nullopt;
  }

  absl::string_view rest() const { return rest_; }

 private:
  std::optional<std::string> ReadValue(const std::string& key, Header& header) {
    if (key == "descr") {
      const std::optional<std::string> value = TakeString();
      if (!value || !header.descriptor.empty()) return "one type in quotes (no structured types)";
      header.descriptor = *value;
    } else if (key == "fortran_order") {
      if (header.fortran_order) return "fortran_order once";
      if (Take("True")) {
        header.fortran_order = true;
      } else if (Take("False")) {
        header.fortran_order = false;
      } else {
        return "True or False";
      }
    } else if (key == "shape") {
      if (header.shape) return "shape once";
      header.shape = TakeTuple();
      if (!header.shape) return "a tuple of dimensions that are not negative";
    } else {
      return "one of descr, fortran_order and shape";
    }
    return std::nullopt;
  }

  bool Take(absl::string_view token) {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    if (!absl::StartsWith(rest_, token)) return false;
    rest_.remove_prefix(token.size());
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    return true;
  }

  std::optional<std::string> TakeString() {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return std::nullopt;
    const std::size_t end = rest_.find(rest_[0], 1);
    if (end == absl::string_view::npos) return std::nullopt;
    std::string value(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return value;
  }

  std::optional<std::int64_t> TakeNumber() {
    const std::size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    std::int64_t value = 0;
    if (!absl::SimpleAtoi(rest_.substr(0, end), &value)) return std::nullopt;
    rest_.remove_prefix(end);
    Take("L");  // Python 2 writes longs so.
    return value;
  }

  std::optional<Shape> TakeTuple() {
    Shape shape;
    if (!Take("(")) return std::nullopt;
    while (!Take(")")) {
      const std::optional<std::int64_t> dim = TakeNumber();
      if (!dim || shape.size() == kMaxRank) return std::nullopt;
      shape.push_back(*dim);
      if (!Take(",") && !absl::StartsWith(rest_, ")")) return std::nullopt;
    }
    return shape;
  }

  absl::string_view rest_;
};

struct Parts {
  absl::string_view header;
  absl::string_view data;
};

absl::StatusOr<Parts> SplitFile(absl::string_view bytes, const std::string& origin) {
  const auto refuse = [&origin](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": ", why));
  };
  if (!absl::StartsWith(bytes, kMagic)) return refuse("no .npy file, expected \\x93NUMPY first");
  if (bytes.size() < 10) return refuse("breaks off within the .npy header");
  const auto byte = [bytes](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const int major = byte(6);
  if (major < 1 || major > 3) {
    return refuse(absl::StrCat("found .npy version ", major, ", expected 1 to 3"));
  }
  const std::size_t prefix = major == 1 ? 10 : 12;
  if (bytes.size() < prefix) return refuse("breaks off within the .npy header");
  std::size_t length = byte(8) | std::size_t{byte(9)} << 8;
  if (major > 1) length |= std::size_t{byte(10)} << 16 | std::size_t{byte(11)} << 24;
  if (length > kMaxHeaderBytes || length > bytes.size() - prefix) {
    return refuse(absl::StrCat(".npy header length: found ", length, ", expected at most ",
                               std::min(kMaxHeaderBytes, bytes.size() - prefix)));
  }
  return Parts{bytes.substr(prefix, length), bytes.substr(prefix + length)};
}

// NumPy's texts, all of one width: "<U5" has five code points of four bytes each, "|S5" five bytes,
// both filled up with zeros.
struct TextDescriptor {
  enum class Unit { kByte, kCodePoint };
  Unit unit = Unit::kByte;
  std::size_t width = 0;
  std::size_t UnitBytes() const { return unit == Unit::kByte ? 1 : sizeof(std::uint32_t); }
  std::size_t Bytes() const { return width * UnitBytes(); }
};

std::optional<TextDescriptor> ParseTextDescriptor(absl::string_view text) {
  TextDescriptor descriptor;
  if (absl::ConsumePrefix(&text, "<U")) {
    descriptor.unit = TextDescriptor::Unit::kCodePoint;
  } else if (!absl::ConsumePrefix(&text, "|S")) {
    return std::nullopt;
  }
  std::uint32_t width = 0;
  if (!absl::SimpleAtoi(text, &width)) return std::nullopt;
  descriptor.width = width;
  return descriptor;
}

// Returns false for what is no code point.
bool AppendUtf8(std::uint32_t point, std::string& out) {
  constexpr std::uint32_t kLast = 0x10FFFF;
  if (point > kLast || (point >= 0xD800 && point <= 0xDFFF)) return false;
  const auto follow = [&](int shift) {
    out.push_back(static_cast<char>(0x80U | (point >> shift & 0x3FU)));
  };
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0U | point >> 6));
    follow(0);
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0U | point >> 12));
    follow(6);
    follow(0);
  } else {
    out.push_back(static_cast<char>(0xF0U | point >> 18));
    follow(12);
    follow(6);
    follow(0);
  }
  return true;
}

// Returns the text in `field` as UTF-8, or as its bytes; nothing where a code point is none.
std::optional<std::string> TextOf(absl::string_view field, const TextDescriptor& descriptor) {
  if (descriptor.unit == TextDescriptor::Unit::kByte) {
    return std::string(field.substr(0, field.find_last_not_of('\0') + 1));
  }
  std::vector<std::uint32_t> points(descriptor.width);
  if (!field.empty()) std::memcpy(points.data(), field.data(), field.size());
  while (!points.empty() && points.back() == 0) points.pop_back();
  std::string text;
  for (const std::uint32_t point : points) {
    if (!AppendUtf8(point, text)) return std::nullopt;
  }
  return text;
}

absl::StatusOr<Tensor> TextsToTensor(absl::string_view data, const Header& header,
                                     const TextDescriptor& descriptor, const std::string& origin) {
  const std::string what = absl::StrCat(origin, ": .npy data");
  const auto elements = static_cast<std::size_t>(ElementCount(*header.shape).value_or(0));
  const std::size_t each = descriptor.Bytes();
  // Texts of no width would let a few bytes ask for any number of them.
  const std::size_t least = std::max<std::size_t>(1, each);
  if (elements > data.size() / least || elements * each != data.size()) {
    return FieldError(what, absl::StrCat(data.size(), " bytes"),
                      absl::StrCat(elements, " texts of ", each, " bytes"));
  }
  std::vector<std::string> texts;
  texts.reserve(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    std::optional<std::string> text = TextOf(data.substr(i * each, each), descriptor);
    if (!text) return FieldError(what, absl::StrCat("text ", i, " with no code point"), "Unicode");
    texts.push_back(*std::move(text));
  }
  const std::vector<absl::string_view> views(texts.begin(), texts.end());
  return Tensor::FromStrings(*header.shape, views);
}

std::string Quoted(absl::string_view text) {
  std::string quoted = "'";
  for (const char c : text.substr(0, 40)) {
    absl::StrAppend(&quoted, absl::ascii_isprint(c) ? absl::string_view(&c, 1) : "?");
  }
  return absl::StrCat(quoted, text.size() > 40 ? "..." : "", "'");
}

// Returns all of a file but its data.
std::string StartFile(absl::string_view descriptor, const Shape& shape) {
  const absl::string_view comma = shape.size() == 1 ? "," : "";
  std::string header =
      absl::StrCat("{'descr': '", descriptor, "', 'fortran_order': False, 'shape': (",
                   absl::StrJoin(shape, ", "), comma, "), }");
  constexpr std::size_t kPrefix = 10;
  constexpr std::size_t kAlignment = 64;
  const std::size_t used = kPrefix + header.size() + 1;
  header.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  header.push_back('\n');
  std::string bytes(kMagic);
  bytes.push_back(1);
  bytes.push_back(0);
  bytes.push_back(static_cast<char>(header.size() & 0xFF));
  bytes.push_back(static_cast<char>(header.size() >> 8));
  absl::StrAppend(&bytes, header);
  return bytes;
}

}  // namespace

absl::StatusOr<Tensor> NpyToTensor(absl::string_view bytes, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const Parts parts, SplitFile(bytes, origin));
  const auto refuse = [&origin](absl::string_view field, absl::string_view found,
                                absl::string_view expected) {
    return FieldError(absl::StrCat(origin, ": .npy ", field), found, expected);
  };
  Header header;
  HeaderReader reader(parts.header);
  if (const std::optional<std::string> expected = reader.Read(header)) {
    return refuse("header", Quoted(reader.rest()), *expected);
  }
  if (header.descriptor.empty()) return refuse("descr", "none", "a type");
  if (!header.fortran_order) return refuse("fortran_order", "none", "False");
  if (*header.fortran_order) return refuse("fortran_order", "True", "False (C order)");
  if (!header.shape) return refuse("shape", "none", "a tuple");
  const absl::StatusOr<std::int64_t> elements = ElementCount(*header.shape);
  if (!elements.ok()) return refuse("shape", ShapeString(*header.shape), "fewer elements");
  if (const auto texts = ParseTextDescriptor(header.descriptor)) {
    return TextsToTensor(parts.data, header, *texts, origin);
  }
  const std::optional<DataType> dtype = ParseDescriptor(header.descriptor);
  if (!dtype) {
    std::vector<absl::string_view> known;
    known.reserve(std::size(kDescriptors));
    for (const Descriptor& descriptor : kDescriptors) known.push_back(descriptor.text);
    return refuse("descr", Quoted(header.descriptor),
                  absl::StrCat("one of ", absl::StrJoin(known, " "), " <U5 |S5 (little-endian)"));
  }
  const std::size_t expected_bytes = static_cast<std::size_t>(*elements) * ElementSize(*dtype);
  if (parts.data.size() != expected_bytes) {
    return refuse("data", absl::StrCat(parts.data.size(), " bytes"),
                  absl::StrCat(expected_bytes, " for ", DataTypeName(*dtype), " ",
                               ShapeString(*header.shape)));
  }
  return Tensor::FromBytes(*dtype, *std::move(header.shape), std::string(parts.data));
}

absl::StatusOr<std::string> TensorToNpy(const Tensor& tensor) {
  if (tensor.dtype() == DataType::kString) {
    std::size_t width = 1;
    for (const absl::string_view text : tensor.strings()) width = std::max(width, text.size());
    std::string file = StartFile(absl::StrCat("|S", width), tensor.shape());
    for (const absl::string_view text : tensor.strings()) {
      absl::StrAppend(&file, text, std::string(width - text.size(), '\0'));
    }
    return file;
  }
  const auto descriptor =
      std::find_if(kDescriptors.begin(), kDescriptors.end(),
                   [&tensor](const Descriptor& d) { return d.dtype == tensor.dtype(); });
  if (descriptor == kDescriptors.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(".npy: found ", DataTypeName(tensor.dtype()), ", which NumPy lacks"));
  }
  return absl::StrCat(StartFile(descriptor->text, tensor.shape()), tensor.bytes());
}

}  // namespace cleave
