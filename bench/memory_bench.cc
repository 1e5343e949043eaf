// Measures what holding every frontier cut costs in memory: the resident set of a process with the
// chain of all frontier segments, against one with a single ONNX Runtime session of the same model.
//
// Each is measured in a process of its own (this program runs itself) after loading and one run;
// this is repeated, and the median counts. The output is one JSON object.
//
// Usage: memory_bench [--cuts frontier|all|N] [--repeat N] MODEL...
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "emulate/process.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

std::int64_t ResidentBytes() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    absl::string_view value = line;
    std::int64_t kib = 0;
    if (absl::ConsumePrefix(&value, "VmRSS:") && absl::ConsumeSuffix(&value, "kB") &&
        absl::SimpleAtoi(value, &kib)) {
      return kib * 1024;
    }
  }
  return 0;
}

absl::StatusOr<std::int64_t> MeasureWhole(const std::string& path) {
  std::unique_ptr<WholeModel> whole;
  std::vector<NamedTensor> inputs;
  {
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(path));
    CLEAVE_ASSIGN_OR_RETURN(whole, WholeModel::Create(*graph, {}));
    CLEAVE_ASSIGN_OR_RETURN(inputs, RandomInputs(*graph, 1, 1));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto outputs, whole->Run(inputs));
  return ResidentBytes();
}

absl::StatusOr<std::int64_t> MeasureChain(const std::string& path, const std::string& cuts_text) {
  std::unique_ptr<Chain> chain;
  {
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(path));
    CLEAVE_ASSIGN_OR_RETURN(const CandidateSpec spec, CandidateSpec::Parse(cuts_text));
    CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*graph, 1));
    CutList cuts{.order = table.order, .cuts = {}};
    for (const CutInfo& info : table.cuts) cuts.cuts.push_back(info.cut);
    CLEAVE_ASSIGN_OR_RETURN(chain, Chain::Create(graph, cuts, SelectCandidates(table, spec), {}));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto inputs, RandomInputs(chain->graph(), 1, 1));
  CLEAVE_ASSIGN_OR_RETURN(const auto result, chain->Run(0, chain->segments(), inputs));
  return ResidentBytes();
}

// Returns the resident set, in bytes, of a child of this program that holds one of the two.
absl::StatusOr<double> MeasureInChild(const std::string& program, const std::string& kind,
                                      const std::string& cuts, const std::string& model) {
  constexpr std::int64_t kTimeoutUs = 300'000'000;
  CLEAVE_ASSIGN_OR_RETURN(
      const auto child,
      emulate::Process::Start({.argv = {program, "--child", kind, "--cuts", cuts, model}}));
  CLEAVE_ASSIGN_OR_RETURN(const std::string line, child->ReadLine(kTimeoutUs));
  double bytes = 0;
  if (!absl::SimpleAtod(line, &bytes) || bytes <= 0) {
    return absl::InternalError(absl::StrCat(model, ": the child wrote '", line, "'"));
  }
  return bytes;
}

struct Settings {
  std::vector<std::string> models;
  std::string cuts = "frontier";
  // Says what this process itself holds: whole or chain.
  std::string child;
  int repeat = 3;
};

absl::StatusOr<nlohmann::ordered_json> BenchModel(const std::string& program,
                                                  const std::string& model,
                                                  const Settings& settings) {
  std::vector<double> whole;
  std::vector<double> chain;
  for (int i = 0; i < settings.repeat; ++i) {
    CLEAVE_ASSIGN_OR_RETURN(whole.emplace_back(),
                            MeasureInChild(program, "whole", settings.cuts, model));
    CLEAVE_ASSIGN_OR_RETURN(chain.emplace_back(),
                            MeasureInChild(program, "chain", settings.cuts, model));
  }
  return nlohmann::ordered_json{{"model", model},
                                {"whole_bytes", Median(whole)},
                                {"chain_bytes", Median(chain)},
                                {"ratio", Median(chain) / Median(whole)}};
}

int RunChild(const Settings& settings) {
  const std::string& model = settings.models.front();
  const auto bytes =
      settings.child == "whole" ? MeasureWhole(model) : MeasureChain(model, settings.cuts);
  if (!bytes.ok()) {
    std::cerr << "memory_bench: " << bytes.status().message() << "\n";
    return 1;
  }
  std::cout << *bytes << std::endl;
  return 0;
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Resident memory of all frontier segments against a bare session");
  app.add_option("models", settings.models, "ONNX files of the models")->required();
  app.add_option("--cuts", settings.cuts, "Cuts to hold: frontier, all or a number")
      ->capture_default_str();
  app.add_option("--repeat", settings.repeat, "Processes of each kind")->capture_default_str();
  app.add_option("--child", settings.child)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!settings.child.empty()) return RunChild(settings);

  nlohmann::ordered_json report = {{"bench", "memory"},
                                   {"models", nlohmann::ordered_json::array()}};
  double worst = 0;
  for (const std::string& model : settings.models) {
    const auto result = BenchModel("/proc/self/exe", model, settings);
    if (!result.ok()) {
      std::cerr << "memory_bench: " << result.status().message() << "\n";
      return 1;
    }
    worst = std::max(worst, (*result)["ratio"].get<double>());
    report["models"].push_back(*result);
  }
  report["worst_ratio"] = worst;
  std::cout << report.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main(argc, argv); }
