#include "device/decider.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "device/observe.h"
#include "device/options.h"
#include "device/plan_table.h"
#include "device/reason_text.h"
#include "device/timeout.h"

namespace cleave {
namespace {

double BytesOf(const std::vector<std::string>& files) {
  double bytes = 0;
  for (const std::string& file : files) bytes += static_cast<double>(file.size());
  return bytes;
}

// The plan's exit, all on the device.
PlanCost LocalPlan(const PlanTable& table, const Pass& pass) {
  for (const PlanCost& cost : table.plans) {
    if (!cost.remote() && cost.plan.exit == pass.cost.plan.exit) return cost;
  }
  return table.plans.back();
}

void NoteBelief(const EdgeView& edge, const Observation& observation, InferenceRecord& record) {
  record.link_rtt_us = edge.link.rtt_us.mean;
  record.link_age_us = edge.link.age_us;
  record.device_slowdown = observation.device_slowdown.mean;
  record.edge_slowdown = observation.edge_slowdown.mean;
}

void NoteWhyLocal(const Pass& pass, const EdgeView& edge, const PlanTable& table,
                  InferenceRecord& record) {
  if (!edge.usable) {
    record.fallback = ProblemText(edge.problem);
  } else if (pass.chosen.plan && !HasPlan(table, *pass.chosen.plan)) {
    record.fallback = absl::StrCat("the edge does not take cut ", pass.chosen.plan->cut);
  }
}

}  // namespace

Decider::Decider(const LocalModel& model, const DeviceOptions& options, const OwnEstimates& own,
                 const Clock& clock)
    : model_(model),
      options_(options),
      own_(own),
      clock_(clock),
      constraints_(ConstraintsOf(options)),
      encodings_(EncodingsOf(options).value_or(AllEncodings())),
      shared_(model),
      shelf_(model, constraints_, encodings_),
      tables_(model) {}

absl::Status Decider::SetPolicy(const std::string& spec) {
  CLEAVE_ASSIGN_OR_RETURN(ChosenPolicy chosen, shelf_.Get(spec));
  const absl::MutexLock lock(&mutex_);
  chosen_ = std::move(chosen);
  return absl::OkStatus();
}

Observation Decider::ObserveNow(std::int64_t batch, const EdgeView& edge) const {
  OwnState own = own_.State();
  own.batch = batch;
  if (options_.deadline_us) own.deadline_us = static_cast<double>(*options_.deadline_us);
  return Observe(own, edge);
}

PlanTableTerms Decider::TableTerms(std::int64_t batch, double picture_bytes) const {
  PlanTableTerms terms;
  terms.batch = batch;
  terms.picture_bytes = picture_bytes;
  terms.encode = own_.encode_cost();
  terms.encodings = encodings_;
  terms.past_first_exit =
      !options_.exit_confidence.empty() && !chosen_.plan && model_.exits.size() > 1;
  return terms;
}

std::vector<PlanForecast> Decider::Forecast(std::int64_t batch, const EdgeView& edge) {
  const absl::MutexLock lock(&mutex_);
  const auto table = tables_.Get(edge.offer, TableTerms(batch, picture_bytes_));
  return ForecastPlans(model_, *table, ObserveNow(batch, edge), *chosen_.policy, constraints_);
}

std::shared_ptr<const PlanTable> Decider::Begin(const EdgeView& edge, Pass& pass) {
  pass.observation = ObserveNow(pass.batch, edge);
  pass.offer = edge.offer;
  const absl::MutexLock lock(&mutex_);
  pass.chosen = chosen_;
  if (pass.pictures != nullptr) picture_bytes_ = BytesOf(*pass.pictures);
  return tables_.Get(edge.offer,
                     TableTerms(pass.batch, pass.pictures == nullptr ? 0 : picture_bytes_));
}

void Decider::Decide(const EdgeView& view, bool has_edge, Pass& pass, InferenceRecord& record) {
  const std::shared_ptr<const PlanTable> table = Begin(view, pass);
  const Decision decision = pass.chosen.policy->Decide(*table, pass.observation);
  pass.cost = table->plans[decision.index];
  pass.entropy = decision.entropy;
  record.predicted_us = decision.predicted_us;
  record.reason = ReasonText(decision, pass.cost, constraints_, pass.observation);
  if (has_edge) {
    record.link_up_bps = view.link.up_bps();
  } else if (!pass.chosen.local && decision.reason == Reason::kEdgeUnusable) {
    record.reason = kNoEdge;
  }
  NoteBelief(view, pass.observation, record);
  record.plan = record.decided = pass.cost.plan;
  record.deadline_us = options_.deadline_us;
  if (pass.cost.remote()) {
    Hedge(*table, decision, pass, record);
    ChooseRemote(pass, record);
  } else if (has_edge && !pass.chosen.local) {
    NoteWhyLocal(pass, view, *table, record);
  }
  if (record.where == Where::kDevice && pass.cost.remote()) pass.cost = LocalPlan(*table, pass);
  record.accuracy = pass.cost.accuracy;
  pass.exit = &model_.exits[static_cast<std::size_t>(pass.cost.plan.exit)];
  record.timeline.decide_us = clock_.NowUs() - pass.start_us;
}

void Decider::Hedge(const PlanTable& table, const Decision& decision, Pass& pass,
                    InferenceRecord& record) const {
  if (!options_.max_miss) return;
  const HedgeTerms terms{*options_.max_miss, constraints_, SharedUs(pass)};
  const std::optional<int> index = HedgeFor(table, pass.observation, decision, terms);
  if (!index) return;
  HedgePlan hedge;
  hedge.cost = table.plans[static_cast<std::size_t>(*index)];
  hedge.exit = &model_.exits[static_cast<std::size_t>(hedge.cost.plan.exit)];
  hedge.from = SharedWith(pass, hedge.cost.plan.exit);
  record.hedge.emplace().plan = hedge.cost.plan;
  pass.hedge = std::move(hedge);
}

SharedHeads::Point Decider::SharedWith(const Pass& pass, int exit) const {
  const Plan& plan = pass.cost.plan;
  const Chain& chain = model_.exits[static_cast<std::size_t>(plan.exit)].chain();
  return shared_.Deepest(plan.exit, chain.BoundaryOf(plan.cut), exit);
}

std::vector<double> Decider::SharedUs(const Pass& pass) const {
  const bool decoded = pass.pictures != nullptr && !IsPicture(pass.cost.plan.encoding);
  const double picture_us =
      decoded ? own_.encode_cost().PictureUs() * static_cast<double>(pass.batch) : 0;
  std::vector<double> shared_us;
  for (int exit = 0; exit < pass.cost.plan.exit; ++exit) {
    const Profile& profile = model_.exits[static_cast<std::size_t>(exit)].profile;
    shared_us.push_back(picture_us + profile.TimeUs(0, SharedWith(pass, exit).other, pass.batch));
  }
  return shared_us;
}

// A hedged plan is tried as long as there is any chance that its answer comes in time.
void Decider::ChooseRemote(Pass& pass, InferenceRecord& record) const {
  record.where = pass.cost.plan.cut == 0 ? Where::kEdge : Where::kSplit;
  if (pass.hedge) return;
  const std::optional<std::int64_t> budget_us =
      TooLateBudgetUs(TermsOfWait(pass, options_, clock_.NowUs()), pass.cost, pass.observation);
  if (!budget_us) return;
  record.where = Where::kDevice;
  record.fallback = absl::StrCat(
      "deadline: leaves ", FormatDuration(static_cast<double>(*budget_us)),
      " for an answer expected in ", FormatDuration(RemotePartUs(pass.cost, pass.observation)));
}

}  // namespace cleave
