#include "cleave/plan.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"

namespace cleave {
namespace {

// The names are in the order of the enum.
constexpr std::array kEncodingNames = std::to_array<absl::string_view>(
    {"fp32",   "fp16",   "q8",     "q6",     "q5",     "q4",    "q3",   "q2",
     "t1",     "t2",     "t3",     "t4",     "t5",     "t6",    "jpeg", "jpeg90",
     "jpeg75", "jpeg50", "webp90", "webp75", "webp50", "webp25"});
static_assert(kEncodingNames.size() == static_cast<std::size_t>(kLastEncoding) + 1);

}  // namespace

absl::string_view EncodingName(Encoding encoding) {
  const auto index = static_cast<std::size_t>(encoding);
  return index < kEncodingNames.size() ? kEncodingNames[index] : "unknown";
}

absl::StatusOr<Encoding> ParseEncoding(absl::string_view name) {
  for (std::size_t i = 0; i < kEncodingNames.size(); ++i) {
    if (kEncodingNames[i] == name) return static_cast<Encoding>(i);
  }
  return FieldError("encoding", absl::StrCat("'", name, "'"),
                    absl::StrCat("one of ", absl::StrJoin(kEncodingNames, " ")));
}

bool IsPicture(Encoding encoding) { return encoding >= Encoding::kJpeg; }

std::optional<int> CodecRate(Encoding encoding) {
  if (encoding < Encoding::kT1 || encoding > Encoding::kT6) return std::nullopt;
  return static_cast<int>(encoding) - static_cast<int>(Encoding::kT1);
}

bool IsExact(Encoding encoding) {
  return encoding == Encoding::kFp32 || encoding == Encoding::kJpeg;
}

std::vector<Encoding> AllEncodings() {
  std::vector<Encoding> all;
  for (std::size_t i = 0; i < kEncodingNames.size(); ++i) all.push_back(static_cast<Encoding>(i));
  return all;
}

absl::string_view WhereName(Where where) {
  switch (where) {
    case Where::kDevice:
      return "device";
    case Where::kSplit:
      return "split";
    case Where::kEdge:
      return "edge";
  }
  return "unknown";
}

absl::string_view ObjectiveName(Objective objective) {
  return objective == Objective::kThroughput ? "throughput" : "latency";
}

absl::StatusOr<Objective> ParseObjective(absl::string_view name) {
  for (const Objective objective : {Objective::kLatency, Objective::kThroughput}) {
    if (name == ObjectiveName(objective)) return objective;
  }
  return FieldError("objective", absl::StrCat("'", name, "'"), "latency or throughput");
}

}  // namespace cleave
