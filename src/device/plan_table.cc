#include "device/plan_table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "wire/client.h"

namespace cleave {
namespace {

double TailOnEdgeUs(const LocalModel& model, const EdgeOffer* offer, int cut, std::int64_t batch) {
  if (offer != nullptr && offer->profile != nullptr) {
    const std::vector<int>& boundaries = offer->profile->key().boundaries;
    const auto found = std::lower_bound(boundaries.begin(), boundaries.end(), cut);
    if (found != boundaries.end() && *found == cut) {
      return offer->profile->TimeUs(static_cast<int>(found - boundaries.begin()),
                                    static_cast<int>(boundaries.size()) - 1, batch);
    }
  }
  return model.profile.TimeUs(model.chain->BoundaryOf(cut), model.chain->segments(), batch);
}

bool Offered(const EdgeOffer* offer, int cut, double bytes_up) {
  if (offer == nullptr) return true;
  if (offer->max_request_bytes > 0 && bytes_up >= static_cast<double>(offer->max_request_bytes)) {
    return false;
  }
  return std::binary_search(offer->cuts.begin(), offer->cuts.end(), cut);
}

std::string TensorsText(const CutInfo& info) {
  return absl::StrJoin(info.tensors, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, spec.name, " ", ShapeString(spec.shape));
  });
}

}  // namespace

std::shared_ptr<const PlanTable> MakePlanTable(const LocalModel& model, const EdgeOffer* offer,
                                               double encode_us_per_byte, std::int64_t batch) {
  const double scale = static_cast<double>(batch) / static_cast<double>(model.table.batch);
  const double bytes_down =
      scale * static_cast<double>(EstimateMessageBytes(model.table.cuts.back().tensors));
  auto table = std::make_shared<PlanTable>();
  table->batch = batch;
  for (const int cut : model.candidates) {
    const int boundary = model.chain->BoundaryOf(cut);
    PlanCost cost;
    cost.plan.cut = cut;
    cost.head_us = model.profile.TimeUs(0, boundary, batch);
    if (cut != model.last_cut()) {
      cost.bytes_up =
          scale * static_cast<double>(EstimateMessageBytes(model.table.cuts[cut].tensors));
      if (!Offered(offer, cut, cost.bytes_up)) continue;
      cost.encode_us = encode_us_per_byte * cost.bytes_up;
      cost.bytes_down = bytes_down;
      cost.tail_us = TailOnEdgeUs(model, offer, cut, batch);
      cost.tail_on_device_us = model.profile.TimeUs(boundary, model.chain->segments(), batch);
    }
    table->plans.push_back(cost);
  }
  return table;
}

std::vector<CutForecast> ForecastPlans(const LocalModel& model, const PlanTable& table,
                                       const Observation& observation, const Policy& policy,
                                       const Constraints& constraints) {
  const int chosen = policy.Decide(table, observation).index;
  std::vector<CutForecast> rows;
  for (int i = 0; i < static_cast<int>(table.plans.size()); ++i) {
    const PlanCost& cost = table.plans[i];
    const Prediction prediction = Predict(cost, observation);
    CutForecast row;
    row.cut = cost.plan.cut;
    row.tensors = TensorsText(model.table.cuts[row.cut]);
    row.bytes_up = std::llround(cost.bytes_up);
    row.head_us = prediction.head_us;
    row.encode_us = prediction.encode_us;
    row.uplink_us = prediction.uplink_us;
    row.queue_us = prediction.queue_us;
    row.tail_us = prediction.tail_us;
    row.downlink_us = prediction.downlink_us;
    row.total_us = prediction.total_us();
    row.allowed = constraints.Allows(cost, observation) &&
                  constraints.AllowsAccuracy(cost, table, observation) &&
                  (!cost.remote() || (observation.edge_usable && observation.link.up));
    row.chosen = i == chosen;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace cleave
