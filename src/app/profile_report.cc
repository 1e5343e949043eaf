#include "app/profile_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/file.h"
#include "core/host_port.h"
#include "core/private_folder.h"
#include "core/status_macros.h"
#include "core/text_table.h"
#include "core/units.h"
#include "model/input_shapes.h"
#include "runtime/exit_models.h"
#include "wire/client.h"

namespace cleave::app {
namespace {

// An edge measures while we wait, seconds for each batch size.
constexpr std::int64_t kEdgeTimeoutUs = 600'000'000;

std::vector<std::int64_t> BatchesFor(const ProfileTask& task, const Graph& graph) {
  if (!task.batches.empty()) return task.batches;
  if (FixedBatch(graph) > 0) return {FixedBatch(graph)};
  return {1, 2, 4, 8, 16, 32};
}

int ExitOf(const ProfileTask& task, const Graph& graph) {
  return task.exit.value_or(graph.exit_count() - 1);
}

std::string EdgeFile(const std::string& device_file) {
  constexpr absl::string_view kSuffix = ".json";
  const std::size_t end = absl::EndsWith(device_file, kSuffix) ? device_file.size() - kSuffix.size()
                                                               : device_file.size();
  return absl::StrCat(device_file.substr(0, end), ".edge.json");
}

absl::StatusOr<Profile> AskEdge(const ProfileTask& task, const Graph& graph,
                                const std::vector<InputShapes>& points) {
  CLEAVE_ASSIGN_OR_RETURN(const auto client, EdgeClient::Create({.target = task.edge}));
  CLEAVE_ASSIGN_OR_RETURN(const std::string json,
                          client->GetProfile(graph.name(), graph.digest(), ExitOf(task, graph),
                                             {.batches = {}, .points = points}, kEdgeTimeoutUs));
  return Profile::FromJson(json, absl::StrCat("profile of ", task.edge));
}

struct Measured {
  ResolvedInputs inputs;  // Those of the first point.
  std::vector<InputShapes> points;
  Profile profile;
};

absl::StatusOr<Measured> MeasureDevice(const ProfileTask& task,
                                       const std::shared_ptr<const Graph>& graph,
                                       const std::vector<std::int64_t>& batches) {
  const auto tell = [&task](const char* what) {
    return [&task, what](double share) {
      if (task.on_progress) task.on_progress(what, share);
    };
  };
  const auto loading = tell("loading");
  ExitModelsOptions options;
  CLEAVE_ASSIGN_OR_RETURN(options.cuts, CandidateSpec::Parse(task.cuts));
  options.inputs = task.inputs;
  options.inputs.batch = batches.front();
  options.runtime = task.runtime;
  options.on_progress = [&](int done, int total) { loading(static_cast<double>(done) / total); };
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ExitModel> exits, BuildExitModels(graph, options));
  const ExitModel& exit = exits[static_cast<std::size_t>(ExitOf(task, *graph))];
  Measured measured;
  measured.inputs = exit.table.inputs;
  for (const std::int64_t batch : batches) {
    CLEAVE_ASSIGN_OR_RETURN(InputShapes shapes,
                            WithBatch(*graph, ShapesOf(exit.table.inputs.specs), batch));
    measured.points.push_back(std::move(shapes));
  }
  CLEAVE_ASSIGN_OR_RETURN(measured.profile, MeasureProfile(*exit.chain, task.runtime,
                                                           measured.points, {}, tell("measuring")));
  return measured;
}

}  // namespace

absl::StatusOr<ProfileOutcome> RunProfileTask(const ProfileTask& task) {
  CLEAVE_RETURN_IF_ERROR(task.runtime.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(task.model));
  if (const int exit = ExitOf(task, *graph); exit < 0 || exit >= graph->exit_count()) {
    return FieldError("exit", exit, absl::StrCat("0 to ", graph->exit_count() - 1));
  }
  if (task.output.empty()) CLEAVE_RETURN_IF_ERROR(CheckPrivateFolder(CacheDir()));
  if (!task.edge.empty()) CLEAVE_RETURN_IF_ERROR(ParseHostPort("edge", task.edge).status());
  const std::vector<std::int64_t> batches = BatchesFor(task, *graph);
  ProfileOutcome outcome;
  CLEAVE_ASSIGN_OR_RETURN(Measured measured, MeasureDevice(task, graph, batches));
  outcome.inputs = measured.inputs;
  outcome.device = std::move(measured.profile);
  outcome.device_file = task.output.empty() ? ProfileCachePath(outcome.device.key()) : task.output;
  CLEAVE_RETURN_IF_ERROR(task.output.empty() ? SaveCachedProfile(outcome.device)
                                             : outcome.device.SaveMerged(outcome.device_file));
  if (task.edge.empty()) return outcome;
  if (task.on_progress) task.on_progress("waiting for the edge's profile", 0);
  CLEAVE_ASSIGN_OR_RETURN(outcome.edge, AskEdge(task, *graph, measured.points));
  outcome.edge_file = EdgeFile(outcome.device_file);
  CLEAVE_RETURN_IF_ERROR(outcome.edge->SaveMerged(outcome.edge_file));
  return outcome;
}

std::string ProfileText(const Profile& profile) {
  const ProfileKey& key = profile.key();
  const std::string text =
      absl::StrFormat("%s, %d thread%s, %s, ONNX Runtime %s\n", key.machine, key.threads,
                      key.threads == 1 ? "" : "s", key.provider, key.onnxruntime);
  std::vector<TextTable::Column> columns = {{"segment"}, {"cuts", TextTable::Align::kLeft}};
  std::vector<std::string> totals = {"all", ""};
  const std::size_t segments = key.boundaries.size() - 1;
  const std::vector<Profile::Point> points = profile.Points();
  for (const Profile::Point& point : points) {
    columns.push_back({InputShapesString(point.shapes)});
    totals.push_back(FormatDuration(profile.TimeUs(0, static_cast<int>(segments), point.shapes)));
  }
  TextTable table(std::move(columns));
  for (std::size_t i = 0; i < segments; ++i) {
    std::vector<std::string> cells = {
        absl::StrCat(i), absl::StrCat(key.boundaries[i], " to ", key.boundaries[i + 1])};
    for (const Profile::Point& point : points) {
      const SegmentTime& time = point.segments[i];
      cells.push_back(
          absl::StrFormat("%s +-%2.0f%%", FormatDuration(time.median_us), 50 * time.spread));
    }
    table.Add(std::move(cells));
  }
  table.Add(std::move(totals));
  return text + table.Text();
}

std::string ProfileJson(const ProfileOutcome& outcome) {
  nlohmann::ordered_json json;
  json["device"] = nlohmann::ordered_json::parse(outcome.device.ToJson());
  json["device_file"] = outcome.device_file;
  json["edge"] = outcome.edge ? nlohmann::ordered_json::parse(outcome.edge->ToJson())
                              : nlohmann::ordered_json(nullptr);
  json["edge_file"] = outcome.edge_file;
  return json.dump();
}

}  // namespace cleave::app
