#include "device/filter_gate.h"

#include <algorithm>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "core/uniform.h"

namespace cleave {

absl::string_view OutcomeName(FilterRecord::Outcome outcome) {
  switch (outcome) {
    case FilterRecord::Outcome::kPassed:
      return "passed";
    case FilterRecord::Outcome::kFiltered:
      return "filtered";
    case FilterRecord::Outcome::kChecked:
      return "checked";
  }
  return "unknown";
}

absl::StatusOr<FilterRecord> FilterGate::Ask(const std::vector<NamedTensor>& live,
                                             std::int64_t inference) const {
  std::vector<const Tensor*> tensors;
  for (const std::string& name : file_->about().tensors) {
    const Tensor* tensor = FindTensor(live, name);
    if (tensor == nullptr) {
      return FieldError(absl::StrCat("filter's tensor '", name, "'"), "none", "one at its cut");
    }
    tensors.push_back(tensor);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<double> logits, file_->filter().Logits(tensors));
  FilterRecord record;
  record.logit = *std::max_element(logits.begin(), logits.end());
  if (record.logit >= file_->about().threshold.logit) return record;
  std::mt19937_64 random(seed_ ^ (static_cast<std::uint64_t>(inference) << 20));
  const bool checked = DrawUniform(random) < check_share_;
  record.outcome = checked ? FilterRecord::Outcome::kChecked : FilterRecord::Outcome::kFiltered;
  return record;
}

absl::Status CheckFilterFits(const FilterFile& file, const ExitModel& exit) {
  const FilterFile::About& about = file.about();
  const std::vector<int>& candidates = exit.candidates;
  if (!std::binary_search(candidates.begin(), candidates.end(), about.cut)) {
    return FieldError("filter: cut", about.cut, "one that the model can be cut at");
  }
  if (about.cut == exit.last_cut() || !OutputsBefore(*exit.graph, exit.table, about.cut).empty()) {
    return FieldError("filter: cut", about.cut, "one before the model's first output");
  }
  const std::vector<int>& channels = file.filter().parameters().channels;
  const std::vector<TensorSpec>& live =
      exit.table.cuts[static_cast<std::size_t>(about.cut)].tensors;
  for (std::size_t i = 0; i < about.tensors.size(); ++i) {
    const auto found = std::find_if(live.begin(), live.end(), [&](const TensorSpec& spec) {
      return spec.name == about.tensors[i];
    });
    const bool fits = found != live.end() && found->dtype == DataType::kFloat32 &&
                      found->shape.size() == 4 && found->shape[1] == channels[i];
    if (fits) continue;
    return FieldError(absl::StrCat("filter: tensors at cut ", about.cut),
                      absl::StrCat("'", about.tensors[i], "' of ", channels[i], " channels"),
                      absl::StrJoin(live, ", ", [](std::string* out, const TensorSpec& spec) {
                        absl::StrAppend(out, "'", spec.name, "' ", ShapeString(spec.shape));
                      }));
  }
  return absl::OkStatus();
}

}  // namespace cleave
