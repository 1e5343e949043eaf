#include "device/reason_text.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/units.h"

namespace cleave {
namespace {

std::string Percent(double share) { return absl::StrFormat("%.1f%%", 100 * share); }

std::string BarText(const Constraints& constraints) {
  if (constraints.min_accuracy) {
    return absl::StrCat(" at an accuracy of ", Percent(*constraints.min_accuracy));
  }
  if (constraints.accuracy_drop) {
    return absl::StrCat(" within ", Percent(*constraints.accuracy_drop), " of the best accuracy");
  }
  return "";
}

}  // namespace

std::string PlanText(const Plan& plan) {
  return absl::StrCat("exit ", plan.exit, ", cut ", plan.cut, ", ", EncodingName(plan.encoding));
}

std::string ReasonText(const Decision& decision, const PlanCost& cost,
                       const Constraints& constraints, const Observation& observation) {
  if (!decision.feature.empty()) {
    return absl::StrCat(ReasonName(decision.reason), " (", decision.feature, ")");
  }
  if (decision.reason != Reason::kNoneInTime || !observation.deadline_us) {
    return std::string(ReasonName(decision.reason));
  }
  return absl::StrCat("no plan", BarText(constraints), " meets ",
                      FormatDuration(*observation.deadline_us), "; nearest: ", PlanText(cost.plan),
                      " in ", FormatDuration(decision.predicted_us),
                      cost.accuracy ? absl::StrCat(", ", Percent(*cost.accuracy)) : "");
}

std::string ProblemText(const std::string& problem) {
  for (const absl::string_view known :
       {"edge unavailable", "credentials refused", "digest mismatch", "the edge "}) {
    if (absl::StartsWith(problem, known)) return problem;
  }
  return absl::StrCat("edge unavailable: ", problem);
}

}  // namespace cleave
