#include "device/decider.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "device/observe.h"
#include "device/options.h"
#include "device/plan_table.h"
#include "device/reason_text.h"
#include "device/timeout.h"
#include "policy/predict.h"
#include "policy/spread.h"

namespace cleave {
namespace {

double BytesOf(std::span<const std::string> files) {
  double bytes = 0;
  for (const std::string& file : files) bytes += static_cast<double>(file.size());
  return bytes;
}

// The plan that runs this exit on the device.
PlanCost LocalPlan(const PlanTable& table, int exit) {
  for (const PlanCost& cost : table.plans) {
    if (!cost.remote() && cost.plan.exit == exit) return cost;
  }
  return table.plans.back();
}

EdgeView NoEdge() {
  EdgeView view;
  view.problem = kNoEdge;
  return view;
}

std::optional<std::string> WhyLocal(const LocalModel& model, const ChosenPolicy& chosen,
                                    const EdgeView& edge, const PlanTable& table) {
  if (chosen.local) return std::nullopt;
  if (!edge.usable) return ProblemText(edge.problem);
  if (chosen.plan && !HasPlan(table, *chosen.plan)) {
    if (CodecRate(chosen.plan->encoding)) {
      const int exit = chosen.plan->exit.value_or(model.main_exit);
      const std::string why = WhyNoCodec(
          model, edge.offer.get(), model.exits[static_cast<std::size_t>(exit)], chosen.plan->cut);
      if (!why.empty()) return why;
    }
    return absl::StrCat("the edge does not take cut ", chosen.plan->cut);
  }
  return std::nullopt;
}

}  // namespace

Decider::Decider(const LocalModel& model, const DeviceOptions& options, const OwnEstimates& own,
                 ShapeBook& book, const Clock& clock)
    : model_(model),
      options_(options),
      own_(own),
      book_(book),
      clock_(clock),
      constraints_(ConstraintsOf(options)),
      encodings_(EncodingsOf(options.plans).value_or(AllEncodings())),
      shared_(model),
      policies_(model, constraints_, encodings_),
      tables_(model) {}

absl::Status Decider::SetPolicy(const std::string& spec) {
  CLEAVE_ASSIGN_OR_RETURN(ChosenPolicy chosen, policies_.Get(spec));
  const absl::MutexLock lock(&mutex_);
  chosen_ = std::move(chosen);
  return absl::OkStatus();
}

Observation Decider::ObserveNow(std::int64_t batch, const EdgeView& edge) const {
  OwnState own = own_.State();
  own.batch = batch;
  if (const auto& deadline_us = options_.deadline.deadline_us) {
    own.deadline_us = static_cast<double>(*deadline_us);
  }
  return Observe(own, edge);
}

PlanTableTerms Decider::TableTerms(const InputShapes& shapes, double picture_bytes) const {
  PlanTableTerms terms;
  terms.batch = BatchOf(*model_.graph, shapes);
  terms.shapes = shapes;
  terms.costs = book_.Get(shapes);
  terms.picture_bytes = picture_bytes;
  terms.encode = own_.encode_cost();
  terms.encodings = encodings_;
  terms.past_first_exit =
      !options_.plans.exit_confidence.empty() && !chosen_.plan && model_.exits.size() > 1;
  return terms;
}

std::vector<PlanForecast> Decider::Forecast(const InputShapes& shapes,
                                            const std::optional<EdgeView>& edge) {
  const EdgeView view = edge.value_or(NoEdge());
  const absl::MutexLock lock(&mutex_);
  const PlanTableTerms terms = TableTerms(shapes, picture_bytes_);
  const auto table = tables_.Get(view.offer, terms);
  return ForecastPlans(model_, *table, ObserveNow(terms.batch, view), *chosen_.policy,
                       constraints_);
}

Decider::Basis Decider::BasisOf(const InferenceRequest& request, const EdgeView& edge) {
  Basis basis;
  basis.observation = ObserveNow(request.batch, edge);
  if (basis.observation.deadline_us) {
    *basis.observation.deadline_us =
        std::max(0.0, *basis.observation.deadline_us - static_cast<double>(request.wait_us));
  }
  basis.observation.waited_us = static_cast<double>(request.wait_us);
  const double picture_bytes = BytesOf(request.pictures);
  const absl::MutexLock lock(&mutex_);
  basis.chosen = chosen_;
  if (request.has_pictures()) picture_bytes_ = picture_bytes;
  const PlanTableTerms terms = TableTerms(request.shapes, picture_bytes);
  basis.table = tables_.Get(edge.offer, terms);
  basis.shape_costs = terms.costs;
  return basis;
}

Decided Decider::Decide(const InferenceRequest& request, const std::optional<EdgeView>& edge) {
  const EdgeView view = edge.value_or(NoEdge());
  const Basis basis = BasisOf(request, view);
  const Decision decision = basis.chosen.policy->Decide(*basis.table, basis.observation);
  Decided decided;
  decided.cost = basis.table->plans[decision.index];
  decided.plan = decided.cost.plan;
  decided.entropy = decision.entropy;
  decided.user_chose_plan = basis.chosen.plan.has_value();
  decided.offer = view.offer;
  decided.shape_costs = basis.shape_costs;
  decided.predicted_us = decision.predicted_us;
  decided.observation = basis.observation;
  if (basis.observation.deadline_us) {
    decided.miss_chance = LateChance(decided.cost, basis.observation);
  }
  decided.reason = ReasonText(decision, decided.cost, constraints_, basis.observation);
  if (edge) {
    decided.link_up_bps = view.link.up_bps();
  } else if (!basis.chosen.local && decision.reason == Reason::kEdgeUnusable) {
    decided.reason = kNoEdge;
  }
  if (decided.cost.remote()) {
    decided.where = decided.plan.cut == 0 ? Where::kEdge : Where::kSplit;
    decided.hedge = HedgeOf(request, basis, decision);
    decided.fallback = WhyOverBudget(decided);
    if (!decided.fallback) decided.fallback = WhyTooLate(request, decided);
  } else if (edge) {
    decided.fallback = WhyLocal(model_, basis.chosen, view, *basis.table);
  }
  if (decided.cost.remote() && decided.fallback) {
    decided.where = Where::kDevice;
    decided.cost = LocalPlan(*basis.table, decided.plan.exit);
  }
  decided.exit = &model_.exits[static_cast<std::size_t>(decided.cost.plan.exit)];
  decided.decide_us = clock_.NowUs() - request.start_us - request.wait_us;
  return decided;
}

std::optional<HedgePlan> Decider::HedgeOf(const InferenceRequest& request, const Basis& basis,
                                          const Decision& decision) const {
  if (!options_.deadline.max_miss) return std::nullopt;
  const Plan& plan = basis.table->plans[decision.index].plan;
  const HedgeTerms terms{*options_.deadline.max_miss, constraints_, SharedUs(request, basis, plan)};
  const std::optional<int> index = HedgeFor(*basis.table, basis.observation, decision, terms);
  if (!index) return std::nullopt;
  HedgePlan hedge;
  hedge.cost = basis.table->plans[static_cast<std::size_t>(*index)];
  hedge.exit = &model_.exits[static_cast<std::size_t>(hedge.cost.plan.exit)];
  hedge.from = SharedWith(plan, hedge.cost.plan.exit);
  return hedge;
}

SharedHeads::Point Decider::SharedWith(const Plan& plan, int exit) const {
  const Chain& chain = model_.exits[static_cast<std::size_t>(plan.exit)].chain();
  return shared_.Deepest(plan.exit, chain.BoundaryOf(plan.cut), exit);
}

std::vector<double> Decider::SharedUs(const InferenceRequest& request, const Basis& basis,
                                      const Plan& plan) const {
  const bool decoded = request.has_pictures() && !IsPicture(plan.encoding);
  const double picture_us =
      decoded ? own_.encode_cost().PictureUs() * static_cast<double>(request.batch) : 0;
  std::vector<double> shared_us;
  shared_us.reserve(static_cast<std::size_t>(plan.exit));
  for (int exit = 0; exit < plan.exit; ++exit) {
    shared_us.push_back(picture_us + SegmentsUs(model_.exits[static_cast<std::size_t>(exit)], 0,
                                                SharedWith(plan, exit).other, request.shapes,
                                                basis.shape_costs.get()));
  }
  return shared_us;
}

std::optional<std::string> Decider::WhyOverBudget(const Decided& decided) const {
  if (FitsBudget(decided.cost, decided.observation)) return std::nullopt;
  return absl::StrCat(
      "data budget: leaves ", FormatBytes(std::max(0.0, *decided.observation.data_left_bytes)),
      " for an exchange of ", FormatBytes(decided.cost.bytes_up + decided.cost.bytes_down));
}

// A hedged plan is tried as long as its answer may come in time.
std::optional<std::string> Decider::WhyTooLate(const InferenceRequest& request,
                                               const Decided& decided) const {
  if (decided.hedge) return std::nullopt;
  const WaitTerms terms =
      TermsOfWait(request, decided, options_.edge.remote_timeout_us, clock_.NowUs());
  const std::optional<std::int64_t> budget_us =
      TooLateBudgetUs(terms, decided.cost, decided.observation);
  if (!budget_us) return std::nullopt;
  return absl::StrCat("deadline: leaves ", FormatDuration(static_cast<double>(*budget_us)),
                      " for an answer expected in ",
                      FormatDuration(RemotePartUs(decided.cost, decided.observation)));
}

}  // namespace cleave
