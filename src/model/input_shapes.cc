#include "model/input_shapes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "core/shape_fits.h"
#include "core/status_macros.h"
#include "model/dimension_names.h"

namespace cleave {

bool IsInteger(DataType dtype) {
  return dtype == DataType::kInt32 || dtype == DataType::kInt64 || dtype == DataType::kInt16 ||
         dtype == DataType::kUint32 || dtype == DataType::kUint64 || dtype == DataType::kUint16;
}

std::int64_t InputElements(const InputShapes& shapes) {
  std::int64_t elements = 0;
  for (const Shape& shape : shapes) elements += ElementCount(shape).value_or(0);
  return elements;
}

std::string InputShapesString(const InputShapes& shapes) {
  return absl::StrJoin(shapes, ", ", [](std::string* out, const Shape& shape) {
    absl::StrAppend(out, ShapeString(shape));
  });
}

InputShapes ShapesOf(const Graph& graph, const std::vector<NamedTensor>& inputs) {
  InputShapes shapes;
  for (const TensorSpec& spec : graph.inputs()) {
    const auto given = std::find_if(inputs.begin(), inputs.end(), [&](const NamedTensor& input) {
      return input.name == spec.name;
    });
    shapes.push_back(given == inputs.end() ? spec.shape : given->tensor.shape());
  }
  return shapes;
}

InputShapes ShapesOf(const std::vector<TensorSpec>& specs) {
  InputShapes shapes;
  for (const TensorSpec& spec : specs) shapes.push_back(spec.shape);
  return shapes;
}

std::optional<int> FreeBatchAxis(const Graph& graph, std::size_t input) {
  const Shape& shape = graph.inputs()[input].shape;
  const std::vector<std::string>& symbols = graph.input_symbols()[input];
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < 0 && NamesBatch(symbols[axis])) return static_cast<int>(axis);
  }
  if (shape.size() < 2 || shape[0] >= 0 || NamesLength(symbols[0])) return std::nullopt;
  return 0;
}

std::optional<int> BatchAxis(const Graph& graph, std::size_t input) {
  if (const std::optional<int> free = FreeBatchAxis(graph, input)) return free;
  const Shape& shape = graph.inputs()[input].shape;
  const bool fixed = shape.size() > 1 && shape[0] == FixedBatch(graph);
  return fixed ? std::optional<int>(0) : std::nullopt;
}

std::int64_t FixedBatch(const Graph& graph) {
  for (std::size_t input = 0; input < graph.inputs().size(); ++input) {
    if (FreeBatchAxis(graph, input)) return 0;
  }
  for (const TensorSpec& spec : graph.inputs()) {
    if (spec.shape.size() > 1) return std::max<std::int64_t>(1, spec.shape[0]);
  }
  return 1;
}

std::int64_t BatchOf(const Graph& graph, const InputShapes& shapes) {
  for (std::size_t input = 0; input < shapes.size(); ++input) {
    const std::optional<int> axis = FreeBatchAxis(graph, input);
    if (axis && static_cast<std::size_t>(*axis) < shapes[input].size()) {
      return std::max<std::int64_t>(1, shapes[input][static_cast<std::size_t>(*axis)]);
    }
  }
  return std::max<std::int64_t>(1, FixedBatch(graph));
}

absl::Status ParseShapeFlag(absl::string_view text, ShapeRequest& request) {
  const std::size_t sign = text.rfind('=');
  if (sign == absl::string_view::npos || sign == 0) {
    return FieldError("--shape", absl::StrCat("'", text, "'"), "NAME=1,3,320,320");
  }
  Shape shape;
  const absl::string_view sizes = text.substr(sign + 1);
  if (!sizes.empty()) {
    for (const absl::string_view part : absl::StrSplit(sizes, absl::ByAnyChar(",x"))) {
      std::int64_t size = 0;
      if (!absl::SimpleAtoi(part, &size) || size < -1 || size > kMaxDimension) {
        return FieldError("--shape", absl::StrCat("'", text, "'"),
                          "NAME=1,3,320,320, with -1 for a dimension that stays free");
      }
      shape.push_back(size);
    }
  }
  if (!request.shapes.emplace(std::string(text.substr(0, sign)), std::move(shape)).second) {
    return FieldError("--shape", absl::StrCat("'", text, "'"), "each input once");
  }
  return absl::OkStatus();
}

absl::Status CheckBatch(const Graph& graph, std::int64_t batch) {
  const std::string what = absl::StrCat(graph.origin(), ": batch");
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>(what, batch, 1, kMaxDimension));
  const std::int64_t fixed = FixedBatch(graph);
  if (fixed == 0 || fixed == batch) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": found ", batch, ", but the model's is fixed at ", fixed));
}

absl::StatusOr<InputShapes> WithBatch(const Graph& graph, InputShapes shapes, std::int64_t batch) {
  CLEAVE_RETURN_IF_ERROR(CheckBatch(graph, batch));
  for (std::size_t input = 0; input < shapes.size(); ++input) {
    if (const std::optional<int> axis = FreeBatchAxis(graph, input)) {
      shapes[input][static_cast<std::size_t>(*axis)] = batch;
    }
  }
  return shapes;
}

absl::StatusOr<InputShapes> ShapesAtBatch(const Graph& graph, std::int64_t batch) {
  ShapeRequest request;
  request.batch = batch;
  CLEAVE_ASSIGN_OR_RETURN(const ResolvedInputs inputs, ResolveInputs(graph, request));
  return ShapesOf(inputs.specs);
}

std::vector<TensorSpec> SpecsOf(const Graph& graph, const InputShapes& shapes) {
  std::vector<TensorSpec> specs = graph.inputs();
  for (std::size_t i = 0; i < specs.size(); ++i) specs[i].shape = shapes[i];
  return specs;
}

bool ShapesDependOnData(const Graph& graph) {
  static const std::set<absl::string_view>& operators = *new std::set<absl::string_view>{
      "NonZero", "NonMaxSuppression", "Unique",      "Compress",         "Loop",     "If",
      "Scan",    "SequenceAt",        "StringSplit", "StringNormalizer", "Tokenizer"};
  const bool counts =
      std::any_of(graph.inputs().begin(), graph.inputs().end(), [](const TensorSpec& input) {
        return IsInteger(input.dtype) || input.dtype == DataType::kString;
      });
  return counts ||
         std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [](const GraphNode& node) { return operators.contains(node.op_type); });
}

absl::Status CheckShapes(const Graph& graph, const InputShapes& shapes) {
  std::map<std::string, std::int64_t> batches;
  for (std::size_t input = 0; input < graph.inputs().size(); ++input) {
    const TensorSpec& spec = graph.inputs()[input];
    const Shape& shape = shapes[input];
    const bool negative =
        std::any_of(shape.begin(), shape.end(), [](std::int64_t size) { return size < 0; });
    if (negative || !ShapeFits(spec.shape, shape)) {
      return FieldError(absl::StrCat("input '", spec.name, "'"),
                        absl::StrCat("shape ", ShapeString(shape)), ShapeString(spec.shape));
    }
    const std::optional<int> axis = FreeBatchAxis(graph, input);
    if (!axis) continue;
    const auto at = static_cast<std::size_t>(*axis);
    const std::string& symbol = graph.input_symbols()[input][at];
    const auto [known, is_new] = batches.emplace(symbol, shape[at]);
    if (!symbol.empty() && !is_new && known->second != shape[at]) {
      return FieldError(absl::StrCat("input '", spec.name, "'"),
                        absl::StrCat("batch size ", shape[at]),
                        absl::StrCat(known->second, " as the other inputs have"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave
