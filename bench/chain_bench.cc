// Measures what splitting costs in compute: head and tail as chains of segments in one process,
// against the whole model in one ONNX Runtime session.
//
// For each model, the chain holds every frontier cut. At each of these cuts, runs alternate in ABBA
// order between the whole model and head + tail. The figure of a cut is the median ratio over the
// pairs, that of a model is the median over its cuts. The output is one JSON object.
//
// Usage: chain_bench [--cuts frontier|all|N] [--batch N] [--threads N] [--pairs N] MODEL...
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

struct Settings {
  std::vector<std::string> models;
  std::string cuts = "frontier";
  std::int64_t batch = 1;
  int threads = 1;
  int pairs = 20;
};

class Pairing {
 public:
  Pairing(const WholeModel& whole, const Chain& chain, const std::vector<NamedTensor>& inputs)
      : whole_(whole), chain_(chain), inputs_(inputs) {}

  absl::StatusOr<double> MedianRatio(int boundary, int pairs) const {
    std::vector<double> ratios;
    for (int i = 0; i < pairs; ++i) {
      double whole_us = 0;
      double split_us = 0;
      if (i % 2 == 0) {
        CLEAVE_ASSIGN_OR_RETURN(whole_us, TimeWhole());
        CLEAVE_ASSIGN_OR_RETURN(split_us, TimeSplit(boundary));
      } else {
        CLEAVE_ASSIGN_OR_RETURN(split_us, TimeSplit(boundary));
        CLEAVE_ASSIGN_OR_RETURN(whole_us, TimeWhole());
      }
      ratios.push_back(split_us / std::max(1.0, whole_us));
    }
    return Median(std::move(ratios));
  }

 private:
  absl::StatusOr<double> TimeWhole() const {
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_RETURN_IF_ERROR(whole_.Run(inputs_).status());
    return static_cast<double>(Clock::Steady().NowUs() - start_us);
  }

  absl::StatusOr<double> TimeSplit(int boundary) const {
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(const ChainResult head, chain_.Run(0, boundary, inputs_));
    CLEAVE_RETURN_IF_ERROR(chain_.Run(boundary, chain_.segments(), head.tensors).status());
    return static_cast<double>(Clock::Steady().NowUs() - start_us);
  }

  const WholeModel& whole_;
  const Chain& chain_;
  const std::vector<NamedTensor>& inputs_;
};

absl::StatusOr<nlohmann::ordered_json> BenchModel(const std::string& path,
                                                  const Settings& settings) {
  const RuntimeOptions runtime{.threads = settings.threads};
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(path));
  CLEAVE_ASSIGN_OR_RETURN(const CandidateSpec spec, CandidateSpec::Parse(settings.cuts));
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*graph, settings.batch));
  CutList cuts{.order = table.order, .cuts = {}};
  for (const CutInfo& info : table.cuts) cuts.cuts.push_back(info.cut);
  CLEAVE_ASSIGN_OR_RETURN(const auto chain,
                          Chain::Create(graph, cuts, SelectCandidates(table, spec), runtime));
  CLEAVE_ASSIGN_OR_RETURN(const auto whole, WholeModel::Create(*graph, runtime));
  CLEAVE_ASSIGN_OR_RETURN(const auto inputs, RandomInputs(*graph, settings.batch, 1));

  const Pairing pairing(*whole, *chain, inputs);
  CLEAVE_RETURN_IF_ERROR(pairing.MedianRatio(0, 3).status());  // These runs warm up.
  std::vector<double> ratios;
  nlohmann::ordered_json by_cut = nlohmann::ordered_json::array();
  for (int boundary = 0; boundary <= chain->segments(); ++boundary) {
    CLEAVE_ASSIGN_OR_RETURN(const double ratio, pairing.MedianRatio(boundary, settings.pairs));
    ratios.push_back(ratio);
    by_cut.push_back({{"cut", chain->boundaries()[boundary]}, {"ratio", ratio}});
  }
  return nlohmann::ordered_json{{"model", graph->name()},
                                {"segments", chain->segments()},
                                {"time_ratio_median", Median(ratios)},
                                {"cuts", by_cut}};
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("The cost of splitting: head and tail against the whole model, paired runs");
  app.add_option("models", settings.models, "ONNX files of the models")->required();
  app.add_option("--cuts", settings.cuts, "Cuts to hold: frontier, all or a number")
      ->capture_default_str();
  app.add_option("--batch", settings.batch, "Samples of one run")->capture_default_str();
  app.add_option("--threads", settings.threads, "Threads that one run uses")->capture_default_str();
  app.add_option("--pairs", settings.pairs, "Pairs of runs at each cut")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  nlohmann::ordered_json report = {{"bench", "chain"},
                                   {"threads", settings.threads},
                                   {"batch", settings.batch},
                                   {"pairs", settings.pairs},
                                   {"models", nlohmann::ordered_json::array()}};
  std::vector<double> medians;
  for (const std::string& path : settings.models) {
    const auto result = BenchModel(path, settings);
    if (!result.ok()) {
      std::cerr << "chain_bench: " << result.status().message() << "\n";
      return 1;
    }
    medians.push_back((*result)["time_ratio_median"].get<double>());
    report["models"].push_back(*result);
  }
  report["time_ratio_median"] = Median(medians);
  std::cout << report.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main(argc, argv); }
