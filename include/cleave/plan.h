#ifndef CLEAVE_PLAN_H_
#define CLEAVE_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// How a tensor becomes bytes on the wire: as it is, as half-precision floats, or as integers of so
// many bits within the tensor's range (docs/wire-format.md). At cut 0, where the input is a
// picture: the bytes of its file as they are (kJpeg, PNG too), or as a JPEG of that quality, made
// of the pixels that the model sees.
enum class Encoding : std::uint8_t {
  kFp32,
  kFp16,
  kQ8,
  kQ6,
  kQ5,
  kQ4,
  kQ3,
  kQ2,
  kJpeg,
  kJpeg90,
  kJpeg75,
  kJpeg50,
};

// "fp32", "fp16", "q8", "q6", "q5", "q4", "q3", "q2", "jpeg", "jpeg90", "jpeg75", "jpeg50".
absl::string_view EncodingName(Encoding encoding);

// Whether it carries a picture rather than a tensor, so that it exists at cut 0 alone.
bool IsPicture(Encoding encoding);

// Whether what arrives is bit for bit what was encoded: kFp32 and kJpeg.
bool IsExact(Encoding encoding);

// All encodings, in the order of the enum.
std::vector<Encoding> AllEncodings();

// The encoding of that name; InvalidArgument lists the names there are.
absl::StatusOr<Encoding> ParseEncoding(absl::string_view name);

// One choice of what runs where: which exit ends the network, the cut that parts head and tail, and
// how the cut's tensors travel.
struct Plan {
  int exit = 0;  // Index of the model's exit; 0 where the model has no early one.
  int cut = 0;   // Index in the model's list of cuts: 0 is the input, the last is the output.
  Encoding encoding = Encoding::kFp32;

  friend bool operator==(const Plan&, const Plan&) = default;
};

// Where an inference really ran.
enum class Where : std::uint8_t { kDevice, kSplit, kEdge };

absl::string_view WhereName(Where where);

}  // namespace cleave

#endif  // CLEAVE_PLAN_H_
