#include "runtime/exit_models.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "model/input_shapes.h"
#include "runtime/segment_store.h"

namespace cleave {
namespace {

// The live tensors of a cut in order of name; cuts of two exits are the same cut if these are
// equal.
using LiveSet = std::vector<std::string>;

LiveSet LiveSetOf(const CutInfo& info) {
  LiveSet live = info.cut.tensors;
  std::sort(live.begin(), live.end());
  return live;
}

std::vector<LiveSet> LiveSetsOf(const CutTable& table) {
  std::vector<LiveSet> sets;
  sets.reserve(table.cuts.size());
  for (const CutInfo& info : table.cuts) sets.push_back(LiveSetOf(info));
  return sets;
}

Fork FindFork(const std::vector<LiveSet>& exit, const std::vector<LiveSet>& last) {
  std::map<LiveSet, int> cut_of;
  for (std::size_t i = 0; i < last.size(); ++i) cut_of[last[i]] = static_cast<int>(i);
  for (int cut = static_cast<int>(exit.size()) - 1; cut > 0; --cut) {
    if (const auto found = cut_of.find(exit[cut]); found != cut_of.end()) {
      return {cut, found->second};
    }
  }
  return {};
}

// Returns the candidates that the user asks for, of one exit alone.
std::set<int> AskedFor(const CutTable& table, const ExitModelsOptions& options) {
  const std::vector<int> selected = SelectCandidates(table, options.cuts);
  std::set<int> cuts(selected.begin(), selected.end());
  const int count = static_cast<int>(table.cuts.size());
  if (options.extra_cut && *options.extra_cut < count) cuts.insert(*options.extra_cut);
  return cuts;
}

absl::Status CheckExtraCut(const std::vector<ExitModel>& exits, const Graph& graph,
                           const ExitModelsOptions& options) {
  int most = 0;
  for (const ExitModel& exit : exits) {
    most = std::max(most, static_cast<int>(exit.table.cuts.size()) - 1);
  }
  if (!options.extra_cut || (*options.extra_cut >= 0 && *options.extra_cut <= most)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(graph.origin(), ": cut: found ", *options.extra_cut, ", expected 0 to ", most));
}

// Chooses every exit's candidates: its own, and the cuts that it shares with another exit if they
// are a candidate of that one or the fork of the two.
void ChooseCandidates(const ExitModelsOptions& options, std::vector<ExitModel>& exits) {
  std::vector<std::vector<LiveSet>> sets;
  sets.reserve(exits.size());
  for (const ExitModel& exit : exits) sets.push_back(LiveSetsOf(exit.table));
  std::set<LiveSet> wanted;
  for (std::size_t i = 0; i < exits.size(); ++i) {
    for (const int cut : AskedFor(exits[i].table, options)) wanted.insert(sets[i][cut]);
    for (std::size_t j = i + 1; j < exits.size(); ++j) {
      wanted.insert(sets[i][FindFork(sets[i], sets[j]).cut]);
    }
    exits[i].fork = FindFork(sets[i], sets.back());
  }
  for (std::size_t i = 0; i < exits.size(); ++i) {
    for (std::size_t cut = 0; cut < sets[i].size(); ++cut) {
      if (wanted.contains(sets[i][cut])) exits[i].candidates.push_back(static_cast<int>(cut));
    }
  }
}

// Builds the tables of all exits from the same runs of the model.
absl::StatusOr<std::vector<ExitModel>> TablesOf(const std::shared_ptr<const Graph>& graph,
                                                const ShapeRequest& request) {
  CLEAVE_ASSIGN_OR_RETURN(const ModelShapes shapes, ProbeModel(*graph, request));
  std::vector<ExitModel> exits(graph->exit_count());
  for (int i = 0; i < graph->exit_count(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(exits[i].graph, graph->ForExit(i));
    CLEAVE_ASSIGN_OR_RETURN(const CutList cuts, EnumerateCuts(*exits[i].graph));
    CLEAVE_ASSIGN_OR_RETURN(exits[i].table, TableOf(*exits[i].graph, cuts, shapes));
  }
  return exits;
}

CutList CutsOf(const CutTable& table) {
  CutList list;
  list.order = table.order;
  for (const CutInfo& info : table.cuts) list.cuts.push_back(info.cut);
  return list;
}

}  // namespace

absl::StatusOr<std::vector<ExitModel>> BuildExitTables(const std::shared_ptr<const Graph>& graph,
                                                       const ExitModelsOptions& options) {
  ShapeRequest request = options.inputs;
  if (const std::int64_t fixed = FixedBatch(*graph); fixed > 0) request.batch = fixed;
  CLEAVE_ASSIGN_OR_RETURN(std::vector<ExitModel> exits, TablesOf(graph, request));
  CLEAVE_RETURN_IF_ERROR(CheckExtraCut(exits, *graph, options));
  ChooseCandidates(options, exits);
  return exits;
}

absl::StatusOr<std::vector<ExitModel>> BuildExitModels(const std::shared_ptr<const Graph>& graph,
                                                       const ExitModelsOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<ExitModel> exits, BuildExitTables(graph, options));
  int total = 0;
  for (const ExitModel& exit : exits) total += static_cast<int>(exit.candidates.size()) - 1;
  CLEAVE_ASSIGN_OR_RETURN(const auto loaded, graph->KeepLoaded());
  SegmentStore store;
  int before = 0;
  for (ExitModel& exit : exits) {
    const auto progress = [&](int done, int) {
      if (options.on_progress) options.on_progress(before + done, total);
    };
    CLEAVE_ASSIGN_OR_RETURN(
        exit.chain,
        Chain::Create(exit.graph, CutsOf(exit.table), exit.candidates, options.runtime, progress,
                      exits.size() > 1 ? &store : nullptr, TensorsOf(exit.table)));
    before += exit.chain->segments();
  }
  return exits;
}

}  // namespace cleave
