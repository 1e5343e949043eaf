#include "policy/policy.h"

namespace cleave {

absl::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kFastest:
      return "fastest";
    case Reason::kFixed:
      return "fixed";
    case Reason::kEdgeUnusable:
      return "edge unusable";
    case Reason::kOnlyOneLeft:
      return "only one left";
    case Reason::kMostAccurate:
      return "most accurate in time";
    case Reason::kNoneInTime:
      return "none in time";
    case Reason::kLearned:
      return "learned";
    case Reason::kUnfamiliar:
      return "unfamiliar, exact search";
    case Reason::kGuarded:
      return "guarded, exact search";
    case Reason::kRandom:
      return "random";
    case Reason::kThroughput:
      return "most throughput";
  }
  return "unknown";
}

}  // namespace cleave
