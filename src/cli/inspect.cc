#include <iostream>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "lab/cut_report.h"
#include "runtime/chain.h"

namespace cleave::cli {
namespace {

struct Options {
  std::string model;
  std::int64_t batch = 0;
  std::string cuts;
  std::string plot;
  bool json = false;
};

absl::Status Run(const Options& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(options.model));
  const std::int64_t batch =
      options.batch > 0 ? options.batch : std::max<std::int64_t>(1, graph->fixed_batch());
  const std::string cuts =
      options.cuts.empty() ? (options.json ? "all" : "frontier") : options.cuts;
  CLEAVE_ASSIGN_OR_RETURN(const CandidateSpec spec, CandidateSpec::Parse(cuts));
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*graph, batch));
  const std::vector<int> shown = SelectCandidates(table, spec);
  std::cout << (options.json ? CutsJson(*graph, table, shown) : CutsText(*graph, table, shown));
  if (!options.json && options.cuts.empty()) std::cout << "(--cuts all shows every cut)\n";
  if (options.plot.empty()) return absl::OkStatus();
  return WriteFileAtomically(options.plot, CutsSvg(*graph, table));
}

}  // namespace

void AddInspect(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("inspect", "List the places where a model can be cut");
  const auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "ONNX file")->required();
  command->add_option("--batch", options->batch, "Batch size (default: the model's own, or 1)")
      ->check(CLI::PositiveNumber);
  command->add_option(
      "--cuts", options->cuts,
      "Cuts to list: all, frontier or a number (default: frontier; with --json all)");
  command->add_flag("--json", options->json, "Print JSON");
  command->add_option("--plot", options->plot, "Write a plot of c and compute against depth (SVG)");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
