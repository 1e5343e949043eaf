#include "device/pass.h"

namespace cleave {

WaitTerms TermsOfWait(const Pass& pass, const DeviceOptions& options, std::int64_t now_us) {
  WaitTerms terms = WaitTermsOf(pass.cost, pass.observation);
  if (options.deadline_us) {
    terms.remaining_us = static_cast<double>(pass.start_us + *options.deadline_us - now_us);
  }
  terms.user_chose_plan = pass.chosen.plan.has_value();
  terms.remote_timeout_us = options.remote_timeout_us;
  return terms;
}

}  // namespace cleave
