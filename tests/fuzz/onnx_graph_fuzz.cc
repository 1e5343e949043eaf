#include <cstddef>
#include <cstdint>

#include "model/cuts.h"
#include "model/graph.h"

// Any bytes as a model file: refused or read, and what was read can be cut and extracted.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto graph = cleave::Graph::FromBytes({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!graph.ok() || (*graph)->nodes().size() > 200) return 0;
  const auto cuts = cleave::EnumerateCuts(**graph);
  if (!cuts.ok() || cuts->order.empty()) return 0;
  (*graph)
      ->ExtractModel(cuts->order, cuts->cuts.front().tensors, cuts->cuts.back().tensors, {})
      .IgnoreError();
  (*graph)->InstrumentedModel({}).IgnoreError();
  return 0;
}
