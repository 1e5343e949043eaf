#include "device/policy_cache.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "device/plan_table.h"
#include "policy/learned.h"

namespace cleave {
namespace {

constexpr std::size_t kMostLoaded = 16;

}  // namespace

absl::StatusOr<ChosenPolicy> PolicyCache::Get(const std::string& spec) {
  ChosenPolicy chosen;
  if (IsLearnedSpec(spec)) {
    CLEAVE_ASSIGN_OR_RETURN(chosen.policy, GetLearned(spec));
    return chosen;
  }
  CLEAVE_ASSIGN_OR_RETURN(chosen.policy, MakePolicy(spec, constraints_));
  chosen.plan = spec == "edge" ? FixedPlan{} : ParseFixedPlan(spec);
  chosen.local = spec == "device";
  if (chosen.plan) CLEAVE_RETURN_IF_ERROR(CheckFixed(spec, *chosen.plan));
  return chosen;
}

absl::Status PolicyCache::CheckFixed(const std::string& spec, const FixedPlan& plan) const {
  const int exits = static_cast<int>(model_.exits.size());
  const int exit = plan.exit.value_or(model_.main_exit);
  if (exit >= exits || (model_.only_main_exit && exit != model_.main_exit)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "policy: found '", spec, "', expected exit ",
        model_.only_main_exit ? absl::StrCat(model_.main_exit) : absl::StrCat("0 to ", exits - 1)));
  }
  const std::vector<int>& cuts = model_.exits[static_cast<std::size_t>(exit)].model.candidates;
  if (std::binary_search(cuts.begin(), cuts.end(), plan.cut)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("policy: found '", spec, "', expected one of the ",
                                                 cuts.size(),
                                                 " candidate cuts (see cleave inspect)"));
}

// The table is that of all plans of the model. Which of them an edge takes, each decision finds
// out.
absl::Status PolicyCache::CheckLearned(const std::string& path) const {
  CLEAVE_ASSIGN_OR_RETURN(const PolicyCard card, ReadPolicyCard(path));
  PlanTableTerms terms;
  terms.batch = model_.batch();
  terms.picture_bytes = model_.pictures ? 1 : 0;
  terms.encodings = encodings_;
  return CheckPlans(card, *MakePlanTable(model_, nullptr, terms), path);
}

absl::StatusOr<std::shared_ptr<const Policy>> PolicyCache::GetLearned(const std::string& path) {
  std::error_code unreadable;
  File file{path, std::filesystem::last_write_time(path, unreadable), 0};
  if (!unreadable) file.bytes = std::filesystem::file_size(path, unreadable);
  {
    const absl::MutexLock lock(&mutex_);
    const auto found = std::find_if(loaded_.begin(), loaded_.end(),
                                    [&file](const Loaded& it) { return it.file == file; });
    if (!unreadable && found != loaded_.end()) return found->policy;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Policy> policy,
                          MakePolicy(path, constraints_, model_.graph->digest()));
  CLEAVE_RETURN_IF_ERROR(CheckLearned(path));
  const absl::MutexLock lock(&mutex_);
  loaded_.push_front({std::move(file), policy});
  if (loaded_.size() > kMostLoaded) loaded_.pop_back();
  return policy;
}

}  // namespace cleave
