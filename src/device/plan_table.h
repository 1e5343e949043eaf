#ifndef CLEAVE_DEVICE_PLAN_TABLE_H_
#define CLEAVE_DEVICE_PLAN_TABLE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "cleave/device.h"
#include "codec/frame.h"
#include "device/encode_cost.h"
#include "device/local_model.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "profile/profile.h"

namespace cleave {

// What an edge offers for one model. Immutable; shared by the link's threads and the device.
struct EdgeOffer {
  // Of one exit.
  struct Exit {
    std::vector<int> cuts;  // Where it starts tails, of those that the device has too; ascending.
    std::shared_ptr<const Profile> profile;  // Null while unknown.
  };

  bool plain = false;       // An Open Inference Protocol server that knows nothing of cuts.
  std::vector<Exit> exits;  // As the model's.
  std::int64_t max_request_bytes = 0;  // Least size that it refused as too large; 0: none.
};

// What a plan table is made for.
struct PlanTableTerms {
  std::int64_t batch = 1;
  // Bytes of the files of this batch, where the inputs come as pictures; 0: they come as tensors.
  double picture_bytes = 0;
  EncodeCost encode;
  std::vector<Encoding> encodings;  // To choose among. fp32 is always there.
  // Only the main exit, and no cut before the first fork: what an inference chooses among that
  // looks at early exits on its way.
  bool past_first_exit = false;
};

// The candidate plans: those that the edge offers (a null offer: all) and, last, the one that runs
// the main exit on the device. Sizes at another batch than the model was opened at scale with it.
// Without an edge profile the device's own stands in. Accuracy is the model's calibration; an exit
// that the user asked for counts as exact.
std::shared_ptr<const PlanTable> MakePlanTable(const LocalModel& model, const EdgeOffer* offer,
                                               const PlanTableTerms& terms);

// How a plan's tensors become frames: each item of a batch with a range of its own, so that its
// levels do not depend on its neighbours.
EncodeOptions EncodeOptionsFor(Encoding encoding, std::int64_t batch);

// The forecast of every plan of the table, with the policy's choice marked.
std::vector<PlanForecast> ForecastPlans(const LocalModel& model, const PlanTable& table,
                                        const Observation& observation, const Policy& policy,
                                        const Constraints& constraints);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_PLAN_TABLE_H_
