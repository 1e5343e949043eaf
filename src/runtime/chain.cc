#include "runtime/chain.h"

#include <malloc.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "runtime/ort_session.h"

namespace cleave {
namespace {

using ort::Port;
using ort::ValuePtr;

// What one segment computes; tensors are slots, positions in one list of all boundary tensors.
struct Segment {
  std::string what;                       // For errors.
  std::unique_ptr<ort::Session> session;  // None where no node lies between the boundaries.
  std::vector<int> inputs;                // Slots, in the order of session->inputs().
  std::vector<int> outputs;
  std::vector<int> last_used;  // Slots that nobody needs after this segment.
};

// The tensors that the nodes read and write, by name.
struct Traffic {
  std::set<std::string> reads;
  std::set<std::string> writes;
};

Traffic TrafficOf(const Graph& graph, const std::vector<int>& nodes) {
  Traffic traffic;
  for (const int index : nodes) {
    const GraphNode& node = graph.nodes()[static_cast<std::size_t>(index)];
    for (const int id : node.inputs) traffic.reads.insert(graph.tensor_names()[id]);
    for (const int id : node.outputs) traffic.writes.insert(graph.tensor_names()[id]);
  }
  return traffic;
}

Port PortOf(const TensorSpec& spec) {
  return {.name = spec.name,
          .dtype = spec.dtype,
          .type_name = std::string(DataTypeName(spec.dtype)),
          .shape = spec.shape};
}

std::string FileOf(const Graph& graph) {
  return graph.path().empty() ? graph.name() : graph.path();
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

// glibc keeps freed blocks; what loading needed for a moment goes back to the system.
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
  std::vector<std::vector<int>> live_slots;
  std::vector<int> output_slots;  // The model's outputs in the file's order.
  std::vector<Port> slots;
  std::map<std::string, int> slot_of;
  std::vector<Segment> segments;

  int Slot(const std::string& name) {
    const auto [at, is_new] = slot_of.emplace(name, static_cast<int>(slots.size()));
    if (is_new) slots.push_back({.name = name});
    return at->second;
  }

  std::vector<int> Slots(const std::vector<std::string>& names) {
    std::vector<int> found;
    for (const std::string& name : names) found.push_back(Slot(name));
    return found;
  }

  bool IsLive(int boundary, int slot) const {
    const std::vector<int>& at = live_slots[static_cast<std::size_t>(boundary)];
    return std::find(at.begin(), at.end(), slot) != at.end();
  }

  bool IsOutput(int slot) const {
    return std::find(output_slots.begin(), output_slots.end(), slot) != output_slots.end();
  }

  std::vector<Port> PortsAt(int boundary) const {
    std::vector<Port> ports;
    for (const int slot : live_slots[static_cast<std::size_t>(boundary)]) {
      ports.push_back(slots[static_cast<std::size_t>(slot)]);
    }
    return ports;
  }

  absl::Status LearnPorts(const Segment& segment);
  absl::StatusOr<std::map<std::string, TensorSpec>> InputTypes(
      const std::vector<std::string>& inputs);
  absl::Status BuildSegment(int index, const std::vector<int>& nodes, bool last,
                            const Ort::SessionOptions& options);
  void PlanReleases();
  absl::StatusOr<std::vector<NamedTensor>> Collect(const std::vector<int>& wanted,
                                                   const std::vector<ValuePtr>& state,
                                                   absl::string_view what) const;
};

absl::Status Chain::Impl::LearnPorts(const Segment& segment) {
  for (std::size_t i = 0; i < segment.outputs.size(); ++i) {
    Port port = segment.session->outputs()[i];
    if (!port.dtype) {
      return absl::InvalidArgumentError(absl::StrCat(segment.what, ": tensor '", port.name,
                                                     "': found ", port.type_name,
                                                     ", expected a dense tensor of a number type"));
    }
    slots[static_cast<std::size_t>(segment.outputs[i])] = std::move(port);
  }
  return absl::OkStatus();
}

// Types of a segment's inputs as the segments before it found them. ONNX Runtime cannot infer every
// rank; then one run of the model tells.
absl::StatusOr<std::map<std::string, TensorSpec>> Chain::Impl::InputTypes(
    const std::vector<std::string>& inputs) {
  const bool all_known = std::all_of(inputs.begin(), inputs.end(), [this](const auto& name) {
    return slots[static_cast<std::size_t>(slot_of.at(name))].shape.has_value();
  });
  if (!all_known) {
    const std::int64_t batch = std::max<std::int64_t>(1, graph->fixed_batch());
    CLEAVE_ASSIGN_OR_RETURN(const auto probed, ProbeShapes(*graph, batch));
    for (Port& port : slots) {
      const auto found = probed.find(port.name);
      if (port.shape || found == probed.end()) continue;
      port.dtype = found->second.dtype;
      port.shape = Shape(found->second.shape.size(), -1);
    }
  }
  std::map<std::string, TensorSpec> types;
  for (const std::string& name : inputs) {
    const Port& port = slots[static_cast<std::size_t>(slot_of.at(name))];
    if (port.dtype && port.shape) types[name] = {name, *port.dtype, *port.shape};
  }
  return types;
}

absl::Status Chain::Impl::BuildSegment(int index, const std::vector<int>& nodes, bool last,
                                       const Ort::SessionOptions& options) {
  Segment segment;
  segment.what =
      absl::StrCat(FileOf(*graph), ", segment ", index, " (cut ", boundaries[index], " to ",
                   boundaries[static_cast<std::size_t>(index) + 1], ")");
  const Traffic traffic = TrafficOf(*graph, nodes);
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  for (const std::string& name : live[static_cast<std::size_t>(index)]) {
    if (traffic.reads.count(name) > 0) inputs.push_back(name);
  }
  for (const auto& [name, slot] : slot_of) {
    const bool wanted = IsLive(index + 1, slot) || IsOutput(slot);
    if (wanted && traffic.writes.count(name) > 0) outputs.push_back(name);
    // An output that depends on no input comes from the last segment.
    const int id = graph->FindTensor(name);
    (void)id;
  }
  (void)last;
  segment.inputs = Slots(inputs);
  segment.outputs = Slots(outputs);
  if (!outputs.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const auto types, InputTypes(inputs));
    CLEAVE_ASSIGN_OR_RETURN(std::string bytes,
                            graph->ExtractModel(nodes, inputs, outputs, types));
    CLEAVE_ASSIGN_OR_RETURN(
        segment.session, ort::Session::FromBytes(bytes, graph->folder(), options.Clone(),
                                                 segment.what));
    CLEAVE_RETURN_IF_ERROR(LearnPorts(segment));
  }
  segments.push_back(std::move(segment));
  return absl::OkStatus();
}

