#include "experiments/dsc/micro.h"

#include <malloc.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "emulate/process.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "runtime/chain.h"
#include "wire/client.h"

namespace cleave::experiments::dsc {
namespace {

constexpr std::int64_t kLoadUs = 120'000'000;
constexpr std::int64_t kInferUs = 60'000'000;

double Now() {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Loaded {
  std::shared_ptr<const Graph> graph;
  std::vector<int> candidates;
  std::unique_ptr<Chain> chain;
};

absl::StatusOr<Loaded> LoadModel(const std::string& model_file) {
  Loaded loaded;
  CLEAVE_ASSIGN_OR_RETURN(loaded.graph, Graph::Load(model_file));
  CLEAVE_ASSIGN_OR_RETURN(const CutList cuts, EnumerateCuts(*loaded.graph));
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*loaded.graph, 1));
  loaded.candidates = SelectCandidates(table, CandidateSpec{});
  CLEAVE_ASSIGN_OR_RETURN(loaded.chain, Chain::Create(loaded.graph, cuts, loaded.candidates, {}));
  return loaded;
}

absl::StatusOr<double> TimeHeadAndTailUs(const Chain& chain, int boundary,
                                         const std::vector<NamedTensor>& inputs) {
  const double start_us = Now();
  CLEAVE_ASSIGN_OR_RETURN(const ChainResult head, chain.Run(0, boundary, inputs));
  CLEAVE_RETURN_IF_ERROR(chain.Run(boundary, chain.segments(), head.tensors).status());
  return Now() - start_us;
}

absl::StatusOr<double> TimeWholeUs(const WholeModel& whole,
                                   const std::vector<NamedTensor>& inputs) {
  const double start_us = Now();
  CLEAVE_RETURN_IF_ERROR(whole.Run(inputs).status());
  return Now() - start_us;
}

absl::StatusOr<double> ResidentKb(int pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    double kb = 0;
    if (words.size() > 1 && words[0] == "VmRSS:" && absl::SimpleAtod(words[1], &kb)) return kb;
  }
  return absl::NotFoundError(absl::StrCat("/proc/", pid, "/status: no VmRSS"));
}

// Runs one inference at every cut that the edge offers.
absl::Status UseEveryCut(const std::string& edge, const Loaded& model) {
  CLEAVE_ASSIGN_OR_RETURN(const auto client, EdgeClient::Create({.target = edge}));
  CLEAVE_ASSIGN_OR_RETURN(const auto inputs, RandomInputs(*model.graph, 1, 1));
  for (int boundary = 0; boundary < model.chain->segments(); ++boundary) {
    CLEAVE_ASSIGN_OR_RETURN(ChainResult head, model.chain->Run(0, boundary, inputs));
    InferCall call;
    call.model = model.graph->name();
    call.inputs = std::move(head.tensors);
    call.cut = model.chain->boundaries()[boundary];
    call.digest = model.graph->digest();
    CLEAVE_RETURN_IF_ERROR(client->Infer(call, kInferUs).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<double> BareSessionKb(const std::string& program, const std::string& model_file) {
  CLEAVE_ASSIGN_OR_RETURN(
      const auto process,
      emulate::Process::Start({.argv = {program, "experiment", "bare-session", model_file}}));
  CLEAVE_RETURN_IF_ERROR(process->WaitForLine("ready", kLoadUs).status());
  return ResidentKb(process->pid());
}

}  // namespace

absl::StatusOr<double> MeasureChainRatio(const std::string& model_file, int pairs) {
  CLEAVE_ASSIGN_OR_RETURN(const Loaded model, LoadModel(model_file));
  CLEAVE_ASSIGN_OR_RETURN(const auto whole, WholeModel::Create(*model.graph, {}));
  CLEAVE_ASSIGN_OR_RETURN(const auto inputs, RandomInputs(*model.graph, 1, 1));
  CLEAVE_RETURN_IF_ERROR(TimeWholeUs(*whole, inputs).status());
  std::vector<double> medians;
  for (int boundary = 1; boundary < model.chain->segments(); ++boundary) {
    CLEAVE_RETURN_IF_ERROR(TimeHeadAndTailUs(*model.chain, boundary, inputs).status());
    std::vector<double> ratios;
    for (int pair = 0; pair < pairs; ++pair) {
      double chain_us = 0;
      double whole_us = 0;
      // Whoever comes second finds the caches as the other left them, so they take turns.
      for (const bool chain : {pair % 2 == 0, pair % 2 != 0}) {
        CLEAVE_ASSIGN_OR_RETURN((chain ? chain_us : whole_us),
                                chain ? TimeHeadAndTailUs(*model.chain, boundary, inputs)
                                      : TimeWholeUs(*whole, inputs));
      }
      ratios.push_back(chain_us / whole_us);
    }
    medians.push_back(Median(std::move(ratios)));
  }
  if (medians.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(model_file, ": no cut on the frontier"));
  }
  return Median(std::move(medians));
}

absl::StatusOr<ModelFigure> MeasureMemory(rig::Rig& rig, const std::string& model_file,
                                          const std::string& program) {
  CLEAVE_RETURN_IF_ERROR(rig.StartEdge({model_file}));
  CLEAVE_ASSIGN_OR_RETURN(const Loaded model, LoadModel(model_file));
  CLEAVE_RETURN_IF_ERROR(UseEveryCut(rig.edge_here(), model));
  CLEAVE_ASSIGN_OR_RETURN(const double edge_kb, ResidentKb(rig.edge_pid()));
  CLEAVE_ASSIGN_OR_RETURN(const double bare_kb, BareSessionKb(program, model_file));
  return ModelFigure{.model = model.graph->name(),
                     .value = edge_kb / bare_kb,
                     .detail = absl::StrFormat("%.0f / %.0f MB, %d cuts", edge_kb / 1e3,
                                               bare_kb / 1e3, model.chain->segments())};
}

absl::Status RunBareSession(const std::string& model_file, std::istream& in, std::ostream& out) {
  std::unique_ptr<WholeModel> whole;
  std::vector<NamedTensor> inputs;
  {
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(model_file));
    CLEAVE_ASSIGN_OR_RETURN(whole, WholeModel::Create(*graph, {}));
    CLEAVE_ASSIGN_OR_RETURN(inputs, RandomInputs(*graph, 1, 1));
  }
  CLEAVE_RETURN_IF_ERROR(whole->Run(inputs).status());
  // What reading the file left behind is not the session's.
  malloc_trim(0);
  out << "ready" << std::endl;
  for (std::string line; std::getline(in, line);) {
  }
  return absl::OkStatus();
}

double MeasureDecisionUs(int candidates) {
  constexpr int kRounds = 200;
  constexpr int kDecisions = 100;
  PlanTable table;
  for (int i = 0; i < candidates; ++i) {
    const double depth = static_cast<double>(i) / (candidates - 1);
    const bool last = i + 1 == candidates;
    table.plans.push_back({.plan = {.cut = i},
                           .head_us = 200'000 * depth,
                           .encode_us = last ? 0 : 200 * (1 - depth),
                           .bytes_up = last ? 0 : 600'000 * (1 - 0.99 * depth),
                           .bytes_down = last ? 0 : 4'000.0,
                           .tail_us = 50'000 * (1 - depth),
                           .tail_on_device_us = 200'000 * (1 - depth)});
  }
  const auto policy = MakeDynamicPolicy({});
  Observation observation;
  observation.link.rtt_us = {2'000, 100};
  observation.link.down_us_per_byte = {0.4, 0.01};
  observation.link.known = true;
  std::vector<double> times_us;
  int chosen = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double start_us = Now();
    for (int i = 0; i < kDecisions; ++i) {
      // Another link each time, so that nothing can be kept from the last decision.
      observation.link.up_us_per_byte = {0.1 + 0.05 * ((round + i) % 97), 0.01};
      chosen += policy->Decide(table, observation).index;
    }
    times_us.push_back((Now() - start_us) / kDecisions);
  }
  return chosen < 0 ? 0 : Median(std::move(times_us));
}

absl::Status MeasureLoopback(const std::string& program, MicroResult& result) {
  CLEAVE_ASSIGN_OR_RETURN(const auto process, emulate::Process::Start({.argv = {program}}));
  std::string text;
  for (auto line = process->ReadLine(kLoadUs); line.ok(); line = process->ReadLine(kLoadUs)) {
    absl::StrAppend(&text, *line, "\n");
  }
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("ratio_median")) {
    return absl::InternalError(absl::StrCat(program, ": found '", text, "', expected its JSON"));
  }
  result.loopback_ratio = json.value("ratio_median", 0.0);
  result.loopback_detail = absl::StrFormat(
      "%.0f us beside the run, bare echo %.0f us, %d pairs", json.value("overhead_us_median", 0.0),
      json.value("echo_us_median", 0.0), json.value("pairs", 0));
  return absl::OkStatus();
}

}  // namespace cleave::experiments::dsc
