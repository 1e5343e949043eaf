#include "runtime/chain.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/named_tensors.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "runtime/cancel_watcher.h"
#include "runtime/ort_session.h"
#include "runtime/segment_store.h"

namespace cleave {
namespace {

using ort::Port;
using ort::ValuePtr;

// What one segment computes. Tensors are given by their ids, which index
// Chain::Impl::boundary_tensors.
struct Segment {
  std::string what;                  // It names the segment in errors.
  SegmentStore::SessionPtr session;  // Null if no node lies between the boundaries.
  std::vector<int> inputs;           // In the order of session->inputs().
  std::vector<int> outputs;
  std::vector<int> dead;  // No later segment needs these.
};

// Says how segments become sessions.
struct Loading {
  const RuntimeOptions& runtime;
  Ort::SessionOptions session;
  SegmentStore* store = nullptr;  // It may be null.
};

// The tensors that the nodes read and write, by name.
struct Traffic {
  std::set<std::string> reads;
  std::set<std::string> writes;
};

Traffic TrafficOf(const Graph& graph, const std::vector<int>& nodes) {
  Traffic traffic;
  for (const int index : nodes) {
    const GraphNode& node = graph.nodes()[index];
    for (const int id : node.inputs) traffic.reads.insert(graph.tensor_names()[id]);
    for (const int id : node.outputs) traffic.writes.insert(graph.tensor_names()[id]);
  }
  return traffic;
}

bool Contains(const std::vector<int>& values, int value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

Port PortOf(const TensorSpec& spec) {
  return {.name = spec.name,
          .dtype = spec.dtype,
          .type_name = std::string(DataTypeName(spec.dtype)),
          .shape = spec.shape,
          .symbols = {}};
}

// The names that the model's inputs give to free dimensions. They mean the same in every segment;
// others are a segment's own.
std::set<std::string> InputSymbols(const Graph& graph) {
  std::set<std::string> names;
  for (const std::vector<std::string>& symbols : graph.input_symbols()) {
    names.insert(symbols.begin(), symbols.end());
  }
  return names;
}

absl::Status CheckBoundaries(const CutList& cuts, const std::vector<int>& boundaries) {
  const int last = static_cast<int>(cuts.cuts.size()) - 1;
  if (boundaries.size() < 2 || boundaries.front() != 0 || boundaries.back() != last) {
    return absl::InvalidArgumentError(absl::StrCat(
        "boundaries: expected at least two, the first 0 and the last ", last, " (the output)"));
  }
  for (std::size_t i = 1; i < boundaries.size(); ++i) {
    if (boundaries[i] <= boundaries[i - 1]) {
      return absl::InvalidArgumentError(absl::StrCat("boundaries: found ", boundaries[i], " after ",
                                                     boundaries[i - 1], ", expected ascending"));
    }
  }
  return absl::OkStatus();
}

// Returns a key that is equal for segments that are the same to ONNX Runtime.
std::string SessionKey(absl::string_view bytes, const std::string& folder,
                       const RuntimeOptions& options) {
  Sha256 sha;
  sha.Update(absl::StrCat(options.threads, "|", options.allow_spinning, "|",
                          options.provider.ToString(), "|", folder, "|"));
  sha.Update(bytes);
  return sha.HexDigest();
}

// glibc keeps freed blocks; this returns what loading needed for a moment to the system.
void ReturnFreeMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace

struct Chain::Impl {
  std::shared_ptr<const Graph> graph;
  std::vector<int> boundaries;
  std::vector<std::vector<std::string>> live;  // By boundary.
  std::vector<std::vector<int>> live_ids;
  std::vector<int> input_ids;
  std::vector<int> output_ids;  // The model's outputs, in the file's order.
  std::vector<Port> boundary_tensors;
  std::map<std::string, int> id_of;
  std::vector<Segment> segments;
  std::map<std::string, TensorSpec> measured;  // It is needed during building only.
  mutable CancelWatcher watcher;

  int IdOf(const std::string& name) {
    const auto [at, is_new] = id_of.emplace(name, static_cast<int>(boundary_tensors.size()));
    if (is_new) boundary_tensors.push_back({.name = name});
    return at->second;
  }

  std::vector<int> IdsOf(const std::vector<std::string>& names) {
    std::vector<int> found;
    found.reserve(names.size());
    for (const std::string& name : names) found.push_back(IdOf(name));
    return found;
  }

  // Returns the outputs of the model that need not be passed on to boundary `to`.
  std::vector<int> EarlyOutputs(int to) const {
    std::vector<int> early;
    for (const int id : output_ids) {
      if (!Contains(live_ids[to], id)) early.push_back(id);
    }
    return early;
  }

  std::vector<Port> PortsAt(int boundary) const {
    std::vector<Port> ports;
    for (const int id : live_ids[boundary]) {
      ports.push_back(boundary_tensors[id]);
    }
    return ports;
  }

  // Leaves out inputs of the model that no output depends on: they are given, but not live
  // anywhere.
  std::vector<NamedTensor> UsedInputs(const std::vector<NamedTensor>& given) const {
    std::vector<NamedTensor> used;
    for (const NamedTensor& tensor : given) {
      const auto id = id_of.find(tensor.name);
      const bool unused = id != id_of.end() && Contains(input_ids, id->second) &&
                          !Contains(live_ids[0], id->second);
      if (!unused) used.push_back(tensor);
    }
    return used;
  }

  // Whether one of these tensors, whose types are known, is of half precision.
  bool TakesHalf(const std::vector<std::string>& names) const {
    return std::any_of(names.begin(), names.end(), [this](const std::string& name) {
      return boundary_tensors[id_of.at(name)].dtype == DataType::kFloat16;
    });
  }

  absl::Status LearnPorts(const Segment& segment);
  absl::Status LearnRanks(const std::vector<std::string>& names);
  absl::StatusOr<std::map<std::string, TensorType>> InputTypes(
      const std::vector<std::string>& inputs);
  absl::Status BuildSegment(int index, const std::vector<int>& nodes, const Loading& loading);
  void PlanReleases();
  absl::StatusOr<std::vector<NamedTensor>> Collect(const std::vector<int>& wanted,
                                                   const std::vector<ValuePtr>& state) const;
  absl::StatusOr<std::vector<TensorSpec>> LiveAt(int boundary,
                                                 const std::vector<ValuePtr>& state) const;
  absl::Status RunSegment(const Segment& segment, const Ort::RunOptions& run_options,
                          std::vector<ValuePtr>& state) const;
};

absl::Status Chain::Impl::LearnPorts(const Segment& segment) {
  for (std::size_t i = 0; i < segment.outputs.size(); ++i) {
    Port port = segment.session->outputs()[i];
    if (!port.dtype) {
      return absl::InvalidArgumentError(
          absl::StrCat(segment.what, ": tensor '", port.name, "': found ", port.type_name,
                       ", expected a dense tensor of numbers, bools or strings"));
    }
    boundary_tensors[segment.outputs[i]] = std::move(port);
  }
  return absl::OkStatus();
}

// A run of the model shows the ranks that ONNX Runtime cannot infer.
absl::Status Chain::Impl::LearnRanks(const std::vector<std::string>& names) {
  const bool all_measured = std::all_of(names.begin(), names.end(), [this](const auto& name) {
    return boundary_tensors[id_of.at(name)].shape || measured.contains(name);
  });
  if (!all_measured) {
    CLEAVE_ASSIGN_OR_RETURN(ProbedShapes probed, ProbeShapes(*graph, ShapeRequest()));
    measured = std::move(probed.tensors);
  }
  for (const std::string& name : names) {
    Port& port = boundary_tensors[id_of.at(name)];
    const auto found = measured.find(name);
    if (port.shape || found == measured.end()) continue;
    port.dtype = found->second.dtype;
    port.shape = Shape(found->second.shape.size(), -1);
    port.symbols.clear();
  }
  return absl::OkStatus();
}

// Returns the types of a segment's inputs as the segments before it found them.
absl::StatusOr<std::map<std::string, TensorType>> Chain::Impl::InputTypes(
    const std::vector<std::string>& inputs) {
  CLEAVE_RETURN_IF_ERROR(LearnRanks(inputs));
  const std::set<std::string> known = InputSymbols(*graph);
  std::map<std::string, TensorType> types;
  for (const std::string& name : inputs) {
    const Port& port = boundary_tensors[id_of.at(name)];
    if (!port.dtype || !port.shape) continue;
    TensorType type{*port.dtype, *port.shape, port.symbols};
    for (std::string& symbol : type.symbols) {
      if (!known.contains(symbol)) symbol.clear();
    }
    types[name] = std::move(type);
  }
  return types;
}

absl::Status Chain::Impl::BuildSegment(int index, const std::vector<int>& nodes,
                                       const Loading& loading) {
  Segment segment;
  segment.what = absl::StrCat(graph->origin(), ", segment ", index, " (cut ", boundaries[index],
                              " to ", boundaries[index + 1], ")");
  const Traffic traffic = TrafficOf(*graph, nodes);
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  for (const std::string& name : live[index]) {
    if (traffic.reads.contains(name)) inputs.push_back(name);
  }
  // Two exits may use the same tensors in a different order.
  if (loading.store != nullptr) std::sort(inputs.begin(), inputs.end());
  for (const auto& [name, id] : id_of) {
    const bool wanted = Contains(live_ids[index + 1], id) || Contains(output_ids, id);
    if (wanted && traffic.writes.contains(name)) outputs.push_back(name);
  }
  segment.inputs = IdsOf(inputs);
  segment.outputs = IdsOf(outputs);
  if (!outputs.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const auto types, InputTypes(inputs));
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes,
                            graph->ExtractModel(nodes, inputs, outputs, types));
    const auto make = [&]() -> absl::StatusOr<SegmentStore::SessionPtr> {
      Ort::SessionOptions session_options = loading.session.Clone();
      if (TakesHalf(inputs)) ort::AvoidHalfCrash(session_options);
      return ort::Session::FromBytes(bytes, graph->folder(), std::move(session_options),
                                     segment.what);
    };
    if (loading.store == nullptr) {
      CLEAVE_ASSIGN_OR_RETURN(segment.session, make());
    } else {
      CLEAVE_ASSIGN_OR_RETURN(
          segment.session,
          loading.store->FindOrMake(SessionKey(bytes, graph->folder(), loading.runtime), make));
    }
    CLEAVE_RETURN_IF_ERROR(LearnPorts(segment));
  }
  segments.push_back(std::move(segment));
  return absl::OkStatus();
}

// The memory of a tensor returns to the arena as soon as no later segment reads it.
void Chain::Impl::PlanReleases() {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    for (const int id : live_ids[i]) {
      if (!Contains(live_ids[i + 1], id) && !Contains(output_ids, id)) {
        segments[i].dead.push_back(id);
      }
    }
  }
}

absl::StatusOr<std::vector<NamedTensor>> Chain::Impl::Collect(
    const std::vector<int>& wanted, const std::vector<ValuePtr>& state) const {
  std::vector<NamedTensor> tensors;
  for (const int id : wanted) {
    if (state[id] == nullptr) continue;
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor, ort::ToTensor(state[id], boundary_tensors[id].name));
    tensors.push_back({boundary_tensors[id].name, std::move(tensor)});
  }
  return tensors;
}

absl::StatusOr<std::vector<TensorSpec>> Chain::Impl::LiveAt(
    int boundary, const std::vector<ValuePtr>& state) const {
  std::vector<TensorSpec> types;
  for (const int id : live_ids[boundary]) {
    if (state[id] == nullptr) continue;
    const std::string& name = boundary_tensors[id].name;
    CLEAVE_ASSIGN_OR_RETURN(const Tensor tensor, ort::ToTensor(state[id], name));
    types.push_back({name, tensor.dtype(), tensor.shape()});
  }
  return types;
}

absl::Status Chain::Impl::RunSegment(const Segment& segment, const Ort::RunOptions& run_options,
                                     std::vector<ValuePtr>& state) const {
  if (segment.session != nullptr) {
    std::vector<ValuePtr> inputs;
    inputs.reserve(segment.inputs.size());
    for (const int id : segment.inputs) inputs.push_back(state[id]);
    CLEAVE_ASSIGN_OR_RETURN(std::vector<ValuePtr> outputs,
                            segment.session->Run(inputs, run_options));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      state[segment.outputs[i]] = std::move(outputs[i]);
    }
  }
  for (const int id : segment.dead) state[id].reset();
  return absl::OkStatus();
}

Chain::Chain(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Chain::~Chain() = default;

absl::StatusOr<std::unique_ptr<Chain>> Chain::Create(std::shared_ptr<const Graph> graph,
                                                     const CutList& cuts,
                                                     std::vector<int> boundaries,
                                                     const RuntimeOptions& options,
                                                     const Progress& progress, SegmentStore* store,
                                                     std::map<std::string, TensorSpec> measured) {
  CLEAVE_RETURN_IF_ERROR(CheckBoundaries(cuts, boundaries));
  CLEAVE_ASSIGN_OR_RETURN(Ort::SessionOptions session_options,
                          ort::MakeSessionOptions(options, ort::Arena::kShared));
  const Loading loading{options, std::move(session_options), store};
  auto impl = std::make_unique<Impl>();
  impl->graph = std::move(graph);
  impl->boundaries = std::move(boundaries);
  impl->measured = std::move(measured);
  for (const int cut : impl->boundaries) {
    impl->live.push_back(cuts.cuts[cut].tensors);
    impl->live_ids.push_back(impl->IdsOf(cuts.cuts[cut].tensors));
  }
  for (const TensorSpec& output : impl->graph->outputs()) {
    impl->output_ids.push_back(impl->IdOf(output.name));
  }
  for (const TensorSpec& input : impl->graph->inputs()) {
    impl->input_ids.push_back(impl->IdOf(input.name));
    impl->boundary_tensors[impl->input_ids.back()] = PortOf(input);
  }
  CLEAVE_ASSIGN_OR_RETURN(auto loaded, impl->graph->KeepLoaded());
  const int total = static_cast<int>(impl->boundaries.size()) - 1;
  for (int i = 0; i < total; ++i) {
    const Cut& begin = cuts.cuts[impl->boundaries[i]];
    const Cut& end = cuts.cuts[impl->boundaries[i + 1]];
    CLEAVE_RETURN_IF_ERROR(impl->BuildSegment(
        i, {cuts.order.begin() + begin.prefix_nodes, cuts.order.begin() + end.prefix_nodes},
        loading));
    if (progress) progress(i + 1, total);
  }
  impl->PlanReleases();
  impl->measured.clear();
  loaded.reset();
  ReturnFreeMemory();
  return std::unique_ptr<Chain>(new Chain(std::move(impl)));
}

const Graph& Chain::graph() const { return *impl_->graph; }
const std::vector<int>& Chain::boundaries() const { return impl_->boundaries; }
const void* Chain::SessionOf(int segment) const { return impl_->segments[segment].session.get(); }
int Chain::segments() const { return static_cast<int>(impl_->segments.size()); }

int Chain::BoundaryOf(int cut_index) const {
  const auto at = std::lower_bound(impl_->boundaries.begin(), impl_->boundaries.end(), cut_index);
  if (at == impl_->boundaries.end() || *at != cut_index) return -1;
  return static_cast<int>(at - impl_->boundaries.begin());
}

const std::vector<std::string>& Chain::LiveTensors(int boundary) const {
  return impl_->live[boundary];
}

std::vector<TensorSpec> Chain::LiveTypes(int boundary) const {
  std::vector<TensorSpec> types;
  for (const Port& port : impl_->PortsAt(boundary)) {
    if (port.dtype && port.shape) types.push_back({port.name, *port.dtype, *port.shape});
  }
  return types;
}

absl::StatusOr<ChainResult> Chain::Run(int from, int to, const std::vector<NamedTensor>& inputs,
                                       const CancelToken& cancel, Report report,
                                       Memory memory) const {
  if (from < 0 || from > to || to > segments()) {
    return absl::InvalidArgumentError(absl::StrCat("run: found boundaries ", from, " to ", to,
                                                   ", expected 0 <= from <= to <= ", segments()));
  }
  const std::string where = absl::StrCat(impl_->graph->name(), ", cut ", impl_->boundaries[from]);
  CLEAVE_ASSIGN_OR_RETURN(
      std::vector<ValuePtr> bound,
      ort::BindInputs(impl_->PortsAt(from), from == 0 ? impl_->UsedInputs(inputs) : inputs, where));
  std::vector<ValuePtr> state(impl_->boundary_tensors.size());
  for (std::size_t i = 0; i < bound.size(); ++i) {
    state[impl_->live_ids[from][i]] = std::move(bound[i]);
  }
  bound.clear();

  ChainResult result;
  const Clock& clock = Clock::Steady();
  Ort::RunOptions run_options;
  if (memory == Memory::kGiveBack) {
    run_options.AddConfigEntry("memory.enable_memory_arena_shrinkage", "cpu:0");
  }
  const auto watch = impl_->watcher.Watch(cancel, [&run_options] { run_options.SetTerminate(); });
  const std::int64_t start_us = clock.NowUs();
  std::int64_t last_us = start_us;
  for (int i = from; i < to; ++i) {
    if (cancel.cancelled()) {
      return absl::CancelledError(absl::StrCat(impl_->segments[i].what, ": cancelled"));
    }
    CLEAVE_RETURN_IF_ERROR(impl_->RunSegment(impl_->segments[i], run_options, state));
    const std::int64_t now_us = clock.NowUs();
    result.segment_us.push_back(now_us - last_us);
    last_us = now_us;
    if (report == Report::kNothing) continue;
    CLEAVE_ASSIGN_OR_RETURN(std::vector<TensorSpec> live, impl_->LiveAt(i + 1, state));
    result.live.push_back(std::move(live));
  }
  if (cancel.cancelled()) return absl::CancelledError(absl::StrCat(where, ": cancelled"));
  result.run_us = last_us - start_us;
  CLEAVE_ASSIGN_OR_RETURN(result.tensors, impl_->Collect(impl_->live_ids[to], state));
  if (to < segments()) {
    CLEAVE_ASSIGN_OR_RETURN(result.early_outputs, impl_->Collect(impl_->EarlyOutputs(to), state));
  }
  return result;
}

absl::StatusOr<std::vector<NamedTensor>> RunToOutputs(const Chain& chain, int from,
                                                      const std::vector<NamedTensor>& inputs,
                                                      const std::vector<NamedTensor>& early) {
  CLEAVE_ASSIGN_OR_RETURN(ChainResult run, chain.Run(from, chain.segments(), inputs));
  AddMissing(run.early_outputs, run.tensors);
  AddMissing(early, run.tensors);
  return std::move(run.tensors);
}

}  // namespace cleave
