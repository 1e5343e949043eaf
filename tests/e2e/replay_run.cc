#include "e2e/replay_run.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "app/run_report.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "policy/plan_table.h"
#include "policy/predict.h"
#include "world/plan_run.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kForEverUs = 1'000'000'000'000;
constexpr double kMostUs = 1e12;

// One line, with errors that say where it is.
class RecordReader {
 public:
  RecordReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  absl::StatusOr<double> Number(const Json& object, const char* field, double least,
                                double most) const {
    const auto found = object.find(field);
    const bool fits = found != object.end() && found->is_number() &&
                      found->get<double>() >= least && found->get<double>() <= most;
    if (fits) return found->get<double>();
    return Fault(field, found == object.end() ? "nothing" : found->dump().substr(0, 60),
                 absl::StrCat("a number from ", least, " to ", most));
  }

  absl::StatusOr<std::string> Text(const Json& object, const char* field) const {
    const auto found = object.find(field);
    if (found != object.end() && found->is_string()) return found->get<std::string>();
    return Fault(field, found == object.end() ? "nothing" : found->dump().substr(0, 60), "a text");
  }

  absl::StatusOr<Json> Object(const char* field) const {
    const auto found = json_.find(field);
    if (found != json_.end() && found->is_object()) return *found;
    return Fault(field, found == json_.end() ? "nothing" : found->dump().substr(0, 60),
                 "an object");
  }

  const Json& json() const { return json_; }

 private:
  absl::Status Fault(const char* field, const std::string& found,
                     const std::string& expected) const {
    return absl::InvalidArgumentError(
        absl::StrCat(where_, ": ", field, ": found ", found, ", expected ", expected));
  }

  const Json& json_;
  const std::string where_;
};

absl::StatusOr<Plan> PlanOf(const RecordReader& reader) {
  CLEAVE_ASSIGN_OR_RETURN(const Json json, reader.Object("plan"));
  CLEAVE_ASSIGN_OR_RETURN(const double exit, reader.Number(json, "exit", 0, 1e6));
  CLEAVE_ASSIGN_OR_RETURN(const double cut, reader.Number(json, "cut", 0, 1e6));
  CLEAVE_ASSIGN_OR_RETURN(const std::string name, reader.Text(json, "encoding"));
  CLEAVE_ASSIGN_OR_RETURN(const Encoding encoding, ParseEncoding(name));
  return Plan{static_cast<int>(exit), static_cast<int>(cut), encoding};
}

absl::StatusOr<Where> WhereOf(const RecordReader& reader) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string name, reader.Text(reader.json(), "where"));
  for (const Where where : {Where::kDevice, Where::kSplit}) {
    if (name == WhereName(where)) return where;
  }
  return Where::kEdge;
}

// The world as it was believed to be, standing still.
absl::StatusOr<world::WorldOptions> WorldOf(const RecordReader& reader, bool remote) {
  CLEAVE_ASSIGN_OR_RETURN(const Json state, reader.Object("state"));
  CLEAVE_ASSIGN_OR_RETURN(const Json timeline, reader.Object("timeline"));
  world::WorldOptions world;
  CLEAVE_ASSIGN_OR_RETURN(world.device.slowdown,
                          reader.Number(state, "device_slowdown", 0.01, 1000));
  if (!remote) return world;
  CLEAVE_ASSIGN_OR_RETURN(world.edge.slowdown, reader.Number(state, "edge_slowdown", 0.01, 1000));
  CLEAVE_ASSIGN_OR_RETURN(const double up_bps, reader.Number(state, "link_up_bps", 1e3, 1e12));
  world.link.steps = std::vector<world::RateStep>(1, world::RateStep{1e6, up_bps});
  CLEAVE_ASSIGN_OR_RETURN(world.link.rtt_us, reader.Number(state, "link_rtt_us", 1, 1e7));
  CLEAVE_ASSIGN_OR_RETURN(const double queue_us, reader.Number(timeline, "queue_us", 0, 1e9));
  world.queue.kind = world::QueueKind::kRecorded;
  world.queue.recorded = {{1e6, queue_us}};
  return world;
}

const PlanCost* Find(const PlanTable& table, const Plan& plan) {
  const auto found = std::find_if(table.plans.begin(), table.plans.end(),
                                  [&](const PlanCost& cost) { return cost.plan == plan; });
  return found == table.plans.end() ? nullptr : &*found;
}

absl::Status ReplayOne(const PlanTable& table, const RecordReader& reader, ReplayedRuns& runs) {
  const auto fallback = reader.json().find("fallback");
  if (fallback != reader.json().end() && !fallback->is_null()) {
    ++runs.fallbacks;
    return absl::OkStatus();
  }
  ReplayedRun run;
  CLEAVE_ASSIGN_OR_RETURN(run.plan, PlanOf(reader));
  const PlanCost* cost = Find(table, run.plan);
  if (cost == nullptr) {
    ++runs.without_a_plan;
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const double id, reader.Number(reader.json(), "id", 0, 1e15));
  run.id = static_cast<std::int64_t>(id);
  CLEAVE_ASSIGN_OR_RETURN(run.where, WhereOf(reader));
  CLEAVE_ASSIGN_OR_RETURN(run.measured_us, reader.Number(reader.json(), "latency_us", 1, kMostUs));
  CLEAVE_ASSIGN_OR_RETURN(const double bytes_up, reader.Number(reader.json(), "bytes_up", 0, 1e12));
  CLEAVE_ASSIGN_OR_RETURN(const world::WorldOptions options, WorldOf(reader, cost->remote()));
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  world::World world(options, 0);
  const bool entropy =
      cost->entropy_bytes_up > 0 && bytes_up < (cost->bytes_up + cost->entropy_bytes_up) / 2;
  world::RunStart start;
  start.jitter = world::Jitter::kMedian;
  start.entropy = entropy;
  run.predicted_us = world::RunPlan(
                         *cost, start, [](double) { return kForEverUs; }, world)
                         .end_us;
  runs.runs.push_back(run);
  return absl::OkStatus();
}

}  // namespace

double ReplayedRun::RelativeError() const {
  return std::abs(predicted_us - measured_us) / measured_us;
}

double ReplayedRuns::MedianError() const {
  std::vector<double> errors;
  errors.reserve(runs.size());
  for (const ReplayedRun& run : runs) errors.push_back(run.RelativeError());
  return Median(std::move(errors));
}

absl::StatusOr<ReplayedRuns> ReplayRecords(const PlanTable& table, absl::string_view json_lines,
                                           const std::string& origin) {
  ReplayedRuns runs;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(json_lines, '\n')) {
    const std::string where = absl::StrCat(origin, ":", ++number);
    if (line.empty()) continue;
    const Json json = Json::parse(line.begin(), line.end(), nullptr, false);
    if (!json.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": found '", line.substr(0, 40), "', expected a JSON object"));
    }
    if (json.contains("summary")) continue;
    CLEAVE_RETURN_IF_ERROR(ReplayOne(table, RecordReader(json, where), runs));
  }
  return runs;
}

}  // namespace cleave
