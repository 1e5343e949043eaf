#ifndef CLEAVE_DEVICE_PLAN_TABLE_H_
#define CLEAVE_DEVICE_PLAN_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cleave/device.h"
#include "codec/frame.h"
#include "device/encode_cost.h"
#include "device/local_model.h"
#include "device/shape_costs.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "profile/profile.h"

namespace cleave {

// What an edge offers for one model. Immutable; shared by the link's threads and the device.
struct EdgeOffer {
  // What it offers for one exit.
  struct Exit {
    std::vector<int> cuts;  // The device's cuts at which it starts tails, ascending.
    std::shared_ptr<const Profile> profile;  // Null while it is not known.
  };

  bool plain = false;       // It is an Open Inference Protocol server without cuts.
  std::vector<Exit> exits;  // In the model's order.
  // Whether it has the device's own codecs, as t1 to t6 need,
  bool codecs = false;
  std::string codec_problem;  // and why not.
  // The least size that it refused as too large; 0: it refused none.
  std::int64_t max_request_bytes = 0;
};

// What a plan table is made for.
struct PlanTableTerms {
  std::int64_t batch = 1;
  // The shapes of the model's inputs; empty: those that it was opened at, with this batch size.
  InputShapes shapes;
  // What runs at these shapes have shown; null: nothing.
  std::shared_ptr<const ShapeCosts> costs;
  // The size of the files of this batch, where the inputs come as pictures; 0: they come as
  // tensors.
  double picture_bytes = 0;
  EncodeCost encode;
  std::vector<Encoding> encodings;  // The candidates; fp32 is always one.
  // Whether only plans of the main exit with cuts behind the first fork are candidates, as for an
  // inference that looks at early exits while it runs.
  bool past_first_exit = false;
};

// The table of the candidate plans: those that the edge offers (with a null offer: all) and, last,
// the one that runs the main exit on the device. Sizes at other shapes than the model was opened at
// scale with the elements of the inputs until a run has shown them. Without a profile of the edge
// the device's own stands in. A filter makes each head reach at least to its cut. The accuracy
// comes from the model's calibration; an exit that the user asked for counts as exact.
std::shared_ptr<const PlanTable> MakePlanTable(const LocalModel& model, const EdgeOffer* offer,
                                               const PlanTableTerms& terms);

// Why there is no plan of this encoding, one of t1 to t6, at this cut with this edge; empty where
// there is.
std::string WhyNoCodec(const LocalModel& model, const EdgeOffer* offer, const LocalExit& exit,
                       int cut);

// How a plan's tensors become frames: each item of a batch with a range of its own, so that its
// levels do not depend on its neighbours. For t1 to t6 it lacks the codec.
EncodeOptions EncodeOptionsFor(Encoding encoding, std::int64_t batch);

// The forecast of every plan of the table, with the policy's choice marked.
std::vector<PlanForecast> ForecastPlans(const LocalModel& model, const PlanTable& table,
                                        const Observation& observation, const Policy& policy,
                                        const Constraints& constraints);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_PLAN_TABLE_H_
