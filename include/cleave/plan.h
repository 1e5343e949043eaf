#ifndef CLEAVE_PLAN_H_
#define CLEAVE_PLAN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// How a tensor becomes bytes on the wire (docs/wire-format.md). Those from kJpeg on carry a
// picture, and exist at cut 0 of a model whose input is one.
enum class Encoding : std::uint8_t {
  kFp32,  // The tensor as it is.
  kFp16,  // Half-precision floats.
  kQ8,    // Integers of 8 bits within the range of the tensor; kQ6 to kQ2 have fewer bits.
  kQ6,
  kQ5,
  kQ4,
  kQ3,
  kQ2,
  kT1,  // What a codec makes of it that was fitted to this tensor (docs/tensor-codec.md), finest.
  kT2,
  kT3,
  kT4,
  kT5,
  kT6,      // The coarsest.
  kJpeg,    // The picture's file as it is, JPEG, PNG or WebP.
  kJpeg90,  // A JPEG of quality 90 of the pixels that the model sees; the others are alike.
  kJpeg75,
  kJpeg50,
  kWebp90,  // A WebP file of quality 90 of the pixels that the model sees; the others are alike.
  kWebp75,
  kWebp50,
  kWebp25,
};

inline constexpr Encoding kLastEncoding = Encoding::kWebp25;

// The name of an encoding in flags, JSON and documents: "fp32", "fp16", "q8", "q6", "q5", "q4",
// "q3", "q2", "t1" to "t6", "jpeg", "jpeg90", "jpeg75", "jpeg50", "webp90", "webp75", "webp50",
// "webp25".
absl::string_view EncodingName(Encoding encoding);

// Whether the encoding carries a picture rather than a tensor, so that it exists at cut 0 alone.
bool IsPicture(Encoding encoding);

// The rate of an encoding by a fitted codec, 0 for kT1 to 5 for kT6; nothing for the others.
std::optional<int> CodecRate(Encoding encoding);

// Whether the receiver gets bit for bit what was encoded, as with kFp32 and kJpeg.
bool IsExact(Encoding encoding);

// All encodings, in the order of the enum.
std::vector<Encoding> AllEncodings();

// The encoding of this name. InvalidArgument lists the names that there are.
absl::StatusOr<Encoding> ParseEncoding(absl::string_view name);

// One choice of what runs where: the exit that ends the network, the cut between head and tail, and
// how the tensors of the cut travel. A plain value.
struct Plan {
  int exit = 0;  // Index of the model's exit; 0 where the model has no early one.
  int cut = 0;   // Index in the model's list of cuts: 0 is the input, the last is the output.
  Encoding encoding = Encoding::kFp32;

  friend bool operator==(const Plan&, const Plan&) = default;
};

// Where an inference ran.
enum class Where : std::uint8_t {
  kDevice,  // All of it on the device.
  kSplit,   // The head on the device and the tail on the edge.
  kEdge,    // All of it on the edge.
};

// "device", "split", "edge".
absl::string_view WhereName(Where where);

// What plans are chosen for.
enum class Objective : std::uint8_t {
  kLatency,  // The least time of each inference.
  // The most inferences in a second: the least time of the slowest stage (head with encoding,
  // uplink, tail, downlink), since stages of several inferences overlap; of equals the least time.
  kThroughput,
};

// "latency", "throughput".
absl::string_view ObjectiveName(Objective objective);

// The objective of this name. InvalidArgument lists the names that there are.
absl::StatusOr<Objective> ParseObjective(absl::string_view name);

}  // namespace cleave

#endif  // CLEAVE_PLAN_H_
