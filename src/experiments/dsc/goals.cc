#include "experiments/dsc/goals.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/statistics.h"

namespace cleave::experiments::dsc {
namespace {

std::string EachModel(const std::vector<ModelFigure>& figures) {
  return absl::StrJoin(figures, "; ", [](std::string* out, const ModelFigure& figure) {
    absl::StrAppend(out, figure.model, absl::StrFormat(" %.3f", figure.value),
                    figure.detail.empty() ? "" : absl::StrCat(" (", figure.detail, ")"));
  });
}

// The model that does worst stands for all of them.
rig::Goal WorstModel(rig::Goal goal, const std::vector<ModelFigure>& figures) {
  if (figures.empty()) return goal;
  const auto worst =
      std::max_element(figures.begin(), figures.end(),
                       [](const auto& a, const auto& b) { return a.value < b.value; });
  return rig::JudgedByLimit(std::move(goal), worst->value, absl::StrFormat("%.3f", worst->value),
                            "worst model; " + EachModel(figures));
}

rig::Goal ChainRatio(const Results& results) {
  return WorstModel(
      rig::Unknown("chain_ratio",
                   "head and tail in one process / whole model, median over the cuts, one thread",
                   "<= 1.02", 1.02, "not measured"),
      results.micro.chain_ratio);
}

rig::Goal MemoryRatio(const Results& results) {
  return WorstModel(
      rig::Unknown("memory_ratio",
                   "resident memory, edge with every frontier cut / bare ONNX Runtime "
                   "session",
                   "<= 1.15", 1.15, "not measured"),
      results.micro.memory_ratio);
}

rig::Goal DecisionTime(const Results& results) {
  rig::Goal goal = rig::Unknown("decision_time", "decision with 500 candidate cuts", "<= 10 us", 10,
                                "not measured");
  const double us = results.micro.decide_us;
  if (us <= 0) return goal;
  return rig::JudgedByLimit(std::move(goal), us, absl::StrFormat("%.2f us", us),
                            "median of one decision");
}

rig::Goal Loopback(const Results& results) {
  rig::Goal goal = rig::Unknown("loopback", "loopback, cut 0: (round trip - run) / bare gRPC echo",
                                "<= 1.25", 1.25, results.micro.loopback_detail);
  const double ratio = results.micro.loopback_ratio;
  if (ratio <= 0) return goal;
  return rig::JudgedByLimit(std::move(goal), ratio, absl::StrFormat("%.3f", ratio),
                            results.micro.loopback_detail);
}

std::vector<const PointResult*> Compared(const Results& results) {
  std::vector<const PointResult*> points;
  for (const PointResult& point : results.points) {
    if (point.regret > 0) points.push_back(&point);
  }
  return points;
}

std::string PointName(const PointResult& point) {
  return absl::StrFormat("%s, %g Mbit/s, batch %d, edge %s", point.model, point.rate_bps / 1e6,
                         point.batch, LoadName(point.load));
}

std::vector<rig::Goal> Regret(const Results& results) {
  rig::Goal mean =
      rig::Unknown("regret_mean", "dynamic / best fixed cut of that point, mean over the grid",
                   "<= 1.03", 1.03, "no grid point was measured");
  rig::Goal worst =
      rig::Unknown("regret_worst", "dynamic / best fixed cut of that point, worst point", "<= 1.15",
                   1.15, "no grid point was measured");
  const auto points = Compared(results);
  if (points.empty()) return {mean, worst};
  double sum = 0;
  double sum_of_medians = 0;
  int above = 0;
  const PointResult* top = points.front();
  for (const PointResult* point : points) {
    sum += point->regret;
    sum_of_medians += point->regret_of_medians;
    above += point->regret > worst.limit;
    if (point->regret > top->regret) top = point;
  }
  const auto n = static_cast<double>(points.size());
  const double average = sum / n;
  const std::string count =
      absl::StrFormat("means at %d of %d grid points; %.3f by medians", points.size(),
                      results.meta.points_planned, sum_of_medians / n);
  return {
      rig::JudgedByLimit(mean, average, absl::StrFormat("%.3f", average), count),
      rig::JudgedByLimit(worst, top->regret, absl::StrFormat("%.3f", top->regret),
                         absl::StrFormat("%s; %d points above the goal", PointName(*top), above))};
}

rig::Goal TraceGoal(const Results& results) {
  rig::Goal goal =
      rig::Unknown("trace", "dynamic / best single fixed cut, over a whole trace (means)", "< 1", 1,
                   "no trace was run");
  double worst = 0;
  std::vector<std::string> notes;
  for (const TraceResult& trace : results.traces) {
    const TraceRun* dynamic = nullptr;
    const TraceRun* best = nullptr;
    for (const TraceRun& run : trace.runs) {
      if (run.inferences == 0) continue;
      if (run.policy == "dynamic") {
        dynamic = &run;
      } else if (best == nullptr || run.mean_us < best->mean_us) {
        best = &run;
      }
    }
    if (dynamic == nullptr || best == nullptr) continue;
    std::string note = absl::StrFormat("%s%s: best fixed is %s", trace.name,
                                       trace.made_up ? " (made up)" : "", best->policy);
    for (const TraceRun& run : trace.runs) {
      if (run.policy == "dynamic" || run.inferences == 0) continue;
      absl::StrAppend(
          &note, absl::StrFormat(", against %s %.3f", run.policy, dynamic->mean_us / run.mean_us));
    }
    notes.push_back(std::move(note));
    worst = std::max(worst, dynamic->mean_us / best->mean_us);
  }
  if (notes.empty()) return goal;
  goal = rig::JudgedByLimit(std::move(goal), worst, absl::StrFormat("%.3f", worst),
                            absl::StrJoin(notes, "; "));
  goal.met = worst < goal.limit ? rig::Met::kYes : rig::Met::kNo;
  return goal;
}

rig::Goal PredictionError(const Results& results) {
  rig::Goal goal = rig::Unknown(
      "prediction_error", "predicted against measured latency of the chosen plan, median error",
      "<= 10 %", 10, "no grid point was measured");
  std::vector<double> errors;
  for (const PointResult& point : results.points) {
    for (const rig::Sample& sample : point.dynamic.samples) {
      if (!sample.fallback.empty() || sample.latency_us <= 0) continue;
      errors.push_back(100 * std::abs(sample.predicted_us - sample.latency_us) / sample.latency_us);
    }
  }
  if (errors.empty()) return goal;
  const double median = Median(errors);
  return rig::JudgedByLimit(
      std::move(goal), median, absl::StrFormat("%.1f %%", median),
      absl::StrFormat("%d inferences; quartiles %.1f %% and %.1f %%", errors.size(),
                      Quantile(errors, 0.25), Quantile(errors, 0.75)));
}

enum class RateStep { kDown, kUp };

// The median change in one direction. One that never settled counts with how long it was watched.
rig::Goal StepGoal(const Results& results, rig::Goal goal, RateStep wanted, const char* unit,
                   const std::function<double(const StepChange&)>& value) {
  std::vector<double> values;
  int never = 0;
  for (const StepResult& step : results.steps) {
    for (const StepChange& change : step.changes) {
      const RateStep made = change.rate_bps < step.high_bps ? RateStep::kDown : RateStep::kUp;
      if (made != wanted) continue;
      never += !change.settled;
      values.push_back(value(change));
    }
  }
  if (values.empty()) return goal;
  const double median = Median(values);
  goal = rig::JudgedByLimit(std::move(goal), median,
                            absl::StrFormat("%s%.3g %s", never > 0 ? "> " : "", median, unit),
                            absl::StrFormat("median of %d changes, worst %.3g %s", values.size(),
                                            Quantile(values, 1), unit));
  if (never > 0) {
    goal.met = rig::Met::kNo;
    absl::StrAppend(&goal.note, absl::StrFormat("; %d never reached a right cut", never));
  }
  return goal;
}

rig::Goal Kills(const Results& results) {
  rig::Goal goal =
      rig::Unknown("lost", "inferences lost while the edge is killed and restarted", "0", 0,
                   results.kills.problem.empty() ? "not measured" : results.kills.problem);
  const KillResult& kills = results.kills;
  if (kills.kills == 0) return goal;
  return rig::JudgedByLimit(
      std::move(goal), kills.lost, absl::StrCat(kills.lost),
      absl::StrFormat("%d kills, %d inferences, %d ended on the device after the edge "
                      "failed, %d recoveries",
                      kills.kills, kills.inferences, kills.fallbacks, kills.recoveries));
}

}  // namespace

std::vector<rig::Goal> EvaluateGoals(const Results& results) {
  std::vector<rig::Goal> goals = {ChainRatio(results), MemoryRatio(results), DecisionTime(results),
                                  Loopback(results)};
  for (rig::Goal& goal : Regret(results)) goals.push_back(std::move(goal));
  goals.push_back(TraceGoal(results));
  goals.push_back(PredictionError(results));
  goals.push_back(StepGoal(
      results,
      rig::Unknown("step_down", "rate falls 50 -> 2 Mbit/s: inferences until the right cut", "<= 3",
                   3, "no step was run"),
      RateStep::kDown, "inferences",
      [](const StepChange& change) { return static_cast<double>(change.wrong_inferences); }));
  goals.push_back(
      StepGoal(results,
               rig::Unknown("step_up", "rate rises 2 -> 50 Mbit/s: time until the right cut",
                            "<= 2 s", 2, "no step was run"),
               RateStep::kUp, "s", [](const StepChange& change) { return change.seconds; }));
  goals.push_back(Kills(results));
  return goals;
}

}  // namespace cleave::experiments::dsc
