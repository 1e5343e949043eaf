#include "cleave/plan.h"

namespace cleave {

absl::string_view EncodingName(Encoding encoding) {
  switch (encoding) {
    case Encoding::kFp32:
      return "fp32";
  }
  return "unknown";
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

}  // namespace cleave
