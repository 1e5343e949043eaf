#include "device/inference.h"

#include "absl/strings/str_cat.h"
#include "core/named_tensors.h"

namespace cleave {

WaitTerms TermsOfWait(const InferenceRequest& request, const Decided& decided,
                      std::int64_t remote_timeout_us, std::int64_t now_us) {
  WaitTerms terms = WaitTermsOf(decided.cost, decided.observation);
  if (request.deadline_us) {
    terms.remaining_us = static_cast<double>(request.start_us + *request.deadline_us - now_us);
  }
  terms.user_chose_plan = decided.user_chose_plan;
  terms.remote_timeout_us = remote_timeout_us;
  return terms;
}

absl::StatusOr<Answer> AnswerOnDevice(const Decided& decided, const ChainProgress& progress) {
  Answer answer;
  answer.plan = decided.plan;
  answer.accuracy = decided.cost.accuracy;
  for (const TensorSpec& spec : decided.exit->outputs()) {
    const Tensor* tensor = FindTensor(progress.live, spec.name);
    if (tensor == nullptr) tensor = FindTensor(progress.early, spec.name);
    if (tensor == nullptr) {
      return absl::InternalError(absl::StrCat("output '", spec.name, "': the run gave none"));
    }
    answer.outputs.push_back({spec.name, *tensor});
  }
  return answer;
}

}  // namespace cleave
