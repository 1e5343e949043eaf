#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/cut_report.h"
#include "cli/commands.h"
#include "cli/shape_flag.h"
#include "core/file.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "profile/accuracy_table.h"
#include "runtime/chain.h"
#include "runtime/exit_models.h"

namespace cleave::cli {
namespace {

struct Options {
  std::string model;
  std::optional<std::int64_t> batch;
  ShapeFlag shape;
  std::string cuts;
  std::string plot;
  std::optional<int> exit;
  bool json = false;
};

absl::StatusOr<CandidateSpec> Candidates(const Options& options, absl::string_view by_default) {
  return CandidateSpec::Parse(options.cuts.empty() ? by_default : options.cuts);
}

void Print(const Options& options, const std::string& report) {
  std::cout << report;
  if (!options.json && options.cuts.empty()) std::cout << "(--cuts all shows every cut)\n";
}

absl::Status Plot(const Options& options, const Graph& graph, const CutTable& table) {
  if (options.plot.empty()) return absl::OkStatus();
  return WriteFileAtomically(options.plot, app::CutsSvg(graph, table));
}

// A calibration that does not fit is reported and left out, since the cuts do not depend on it.
std::optional<AccuracyTable> Calibration(const Graph& graph) {
  absl::StatusOr<AccuracyTable> table = AccuracyTable::Load(graph.path(), graph.digest());
  if (table.ok()) return *std::move(table);
  if (!absl::IsNotFound(table.status())) {
    std::cerr << "warning: " << Printable(table.status().message()) << "\n";
  }
  return std::nullopt;
}

// A sidecar that is at fault is reported, and the kind left out, for the same reason.
app::ModelKind KindOf(const Graph& graph, const CutTable& table) {
  absl::StatusOr<app::ModelKind> kind =
      app::KindOfModel(graph.path(), table.cuts.front().tensors, table.cuts.back().tensors);
  if (kind.ok()) return *std::move(kind);
  std::cerr << "warning: " << Printable(kind.status().message()) << "\n";
  return {};
}

absl::Status InspectWhole(const Options& options, const Graph& graph, const ShapeRequest& inputs) {
  CLEAVE_ASSIGN_OR_RETURN(const CandidateSpec spec,
                          Candidates(options, options.json ? "all" : "frontier"));
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(graph, inputs));
  SayGuesses(table.inputs);
  const std::vector<int> shown = SelectCandidates(table, spec);
  const std::optional<AccuracyTable> calibration = Calibration(graph);
  const AccuracyTable* accuracy = calibration ? &*calibration : nullptr;
  const app::ModelKind kind = KindOf(graph, table);
  Print(options, options.json ? app::CutsJson(graph, table, shown, accuracy, kind)
                              : app::CutsText(graph, table, shown, accuracy, kind));
  return Plot(options, graph, table);
}

absl::Status InspectExits(const Options& options, const std::shared_ptr<const Graph>& graph,
                          const ShapeRequest& inputs) {
  ExitModelsOptions how;
  how.inputs = inputs;
  CLEAVE_ASSIGN_OR_RETURN(how.cuts, Candidates(options, "frontier"));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<ExitModel> exits, BuildExitTables(graph, how));
  SayGuesses(exits.front().table.inputs);
  if (options.exit) {
    ExitModel chosen = std::move(exits[*options.exit]);
    exits.clear();
    exits.push_back(std::move(chosen));
  }
  const bool all = options.json && options.cuts.empty();
  const app::ShownCuts shown = all ? app::ShownCuts::kAll : app::ShownCuts::kCandidates;
  const std::optional<AccuracyTable> calibration = Calibration(*graph);
  const AccuracyTable* accuracy = calibration ? &*calibration : nullptr;
  const app::ModelKind kind = KindOf(*graph, exits.back().table);
  Print(options, options.json ? app::ExitsJson(*graph, exits, shown, accuracy, kind)
                              : ExitsText(*graph, exits, shown, accuracy, kind));
  return Plot(options, *exits.back().graph, exits.back().table);
}

absl::Status Run(const Options& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(options.model));
  if (options.exit) CLEAVE_RETURN_IF_ERROR(graph->ForExit(*options.exit).status());
  CLEAVE_ASSIGN_OR_RETURN(ShapeRequest inputs, options.shape.Parse());
  inputs.batch = options.batch;
  return graph->exits().empty() ? InspectWhole(options, *graph, inputs)
                                : InspectExits(options, graph, inputs);
}

}  // namespace

void AddInspect(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("inspect", "List the places where a model can be cut");
  const auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "ONNX file of the model")->required();
  command
      ->add_option("--batch", options->batch,
                   "Batch size for which shapes are shown (default: the model's fixed one, or 1)")
      ->check(CLI::PositiveNumber);
  options->shape.AddTo(*command);
  command->add_option(
      "--cuts", options->cuts,
      "Cuts to list: all, frontier or a number (default: frontier; with --json all)");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->add_option("--exit", options->exit,
                      "Show only this early exit, counted from 0 (default: all)");
  command->add_option(
      "--plot", options->plot,
      "Write a plot of the compression ratio c and the compute against depth, for the last "
      "exit shown, to this SVG file (default: none)");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
