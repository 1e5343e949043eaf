#ifndef CLEAVE_DEVICE_PLAN_TABLE_H_
#define CLEAVE_DEVICE_PLAN_TABLE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "cleave/device.h"
#include "device/local_model.h"
#include "policy/policy.h"
#include "profile/profile.h"

namespace cleave {

// What an edge offers for one model. Immutable; shared by the link's threads and the device.
struct EdgeOffer {
  bool plain = false;     // An Open Inference Protocol server that knows nothing of cuts.
  std::vector<int> cuts;  // Where it starts tails, of those that the device has too; ascending.
  std::shared_ptr<const Profile> profile;  // Null while unknown.
  std::int64_t max_request_bytes = 0;      // Least size that it refused as too large; 0: none.
};

// The candidate plans at this batch size: those that the edge offers (a null offer: all) and, last,
// the one that stays on the device. Sizes at another batch than the model was opened at scale with
// it. Without an edge profile the device's own stands in. `encode_us_per_byte` is the cost of
// making the request at the speed of the device's profile.
std::shared_ptr<const PlanTable> MakePlanTable(const LocalModel& model, const EdgeOffer* offer,
                                               double encode_us_per_byte, std::int64_t batch);

// The forecast of every plan of the table, with the policy's choice marked.
std::vector<CutForecast> ForecastPlans(const LocalModel& model, const PlanTable& table,
                                       const Observation& observation, const Policy& policy,
                                       const Constraints& constraints);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_PLAN_TABLE_H_
