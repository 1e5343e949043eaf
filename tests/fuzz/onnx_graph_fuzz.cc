#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "model/cuts.h"
#include "model/graph.h"

namespace {

void CutAndExtract(const cleave::Graph& graph) {
  const auto cuts = cleave::EnumerateCuts(graph);
  if (!cuts.ok() || cuts->order.empty()) return;
  graph.ExtractModel(cuts->order, cuts->cuts.front().tensors, cuts->cuts.back().tensors, {})
      .IgnoreError();
  graph.InstrumentedModel({}).IgnoreError();
}

}  // namespace

// Any bytes as a model file: refused or read, and what was read can be cut and extracted, each of
// its exits too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto graph = cleave::Graph::FromBytes({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!graph.ok() || (*graph)->nodes().size() > 200) return 0;
  CutAndExtract(**graph);
  for (int i = 0; i < (*graph)->exit_count(); ++i) {
    const auto exit = (*graph)->ForExit(i);
    if (!exit.ok()) std::abort();
    if (*exit == *graph) continue;
    if ((*exit)->outputs().size() != 1 || (*exit)->exit() != i) std::abort();
    CutAndExtract(**exit);
  }
  return 0;
}
