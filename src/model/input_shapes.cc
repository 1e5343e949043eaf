#include "model/input_shapes.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "core/shape_fits.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

// By attempt: the sizes of free dimensions, the likeliest first.
constexpr std::array<std::int64_t, kGuessAttempts> kPictureSide = {320, 320, 640, 224, 64, 32, 32};
constexpr std::array<std::int64_t, kGuessAttempts> kSignalSamples = {16000, 16000, 512, 512,
                                                                     48000, 1536,  16};
constexpr std::array<std::int64_t, kGuessAttempts> kSequenceLength = {16, 1, 64, 1, 128, 512, 2};
constexpr std::int64_t kColours = 3;
constexpr std::size_t kPictureRank = 4;
// More elements than this in one dimension are a mistake.
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 31;

bool HoldsAny(absl::string_view symbol, std::initializer_list<absl::string_view> words) {
  const std::string lower = absl::AsciiStrToLower(symbol);
  return std::any_of(words.begin(), words.end(),
                     [&](absl::string_view word) { return absl::StrContains(lower, word); });
}

bool NamesBatch(absl::string_view symbol) { return HoldsAny(symbol, {"batch"}); }
bool NamesLength(absl::string_view symbol) {
  return HoldsAny(symbol, {"seq", "len", "time", "frame", "token", "step", "width", "height"});
}

std::string DimensionText(const TensorSpec& spec, std::size_t axis, const std::string& symbol) {
  return absl::StrCat("input '", spec.name, "': dimension ", axis,
                      symbol.empty() ? "" : absl::StrCat(" ('", symbol, "')"));
}

bool IsInteger(DataType dtype) {
  return dtype == DataType::kInt32 || dtype == DataType::kInt64 || dtype == DataType::kInt16 ||
         dtype == DataType::kUint32 || dtype == DataType::kUint64 || dtype == DataType::kUint16;
}

bool MayCountColours(std::int64_t dimension) {
  return dimension < 0 || dimension == 1 || dimension == kColours || dimension == 4;
}

// The usual size of a free dimension that nothing else tells.
std::int64_t UsualSize(const TensorSpec& spec, std::size_t axis, const std::string& symbol,
                       std::size_t attempt) {
  const Shape& shape = spec.shape;
  const bool integers = IsInteger(spec.dtype);
  if (shape.size() == kPictureRank && !integers && !HoldsAny(symbol, {"past", "seq"})) {
    const bool channels_last = !MayCountColours(shape[1]) || shape[3] == 1 || shape[3] == kColours;
    if (!MayCountColours(shape[channels_last ? 3 : 1])) return kSequenceLength[attempt];
    if (axis == (channels_last ? 3U : 1U)) return kColours;
    return kPictureSide[attempt];
  }
  const bool signal = !integers && shape.size() <= 2 && axis + 1 == shape.size();
  return signal ? kSignalSamples[attempt] : kSequenceLength[attempt];
}

absl::Status CheckBatch(const Graph& graph, std::int64_t batch) {
  const std::string what = absl::StrCat(graph.origin(), ": batch");
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>(what, batch, 1, kMaxDimension));
  const std::int64_t fixed = FixedBatch(graph);
  if (fixed == 0 || fixed == batch) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": found ", batch, ", but the model's is fixed at ", fixed));
}

// Gives the free dimensions their values, from the surest source to the guess.
class Resolver {
 public:
  Resolver(const Graph& graph, const ShapeRequest& request, int attempt)
      : graph_(graph),
        request_(request),
        attempt_(static_cast<std::size_t>(attempt)),
        origin_(graph.origin()) {
    resolved_.specs = graph.inputs();
  }

  absl::StatusOr<ResolvedInputs> Resolve() && {
    CLEAVE_RETURN_IF_ERROR(TakeBatch());
    CLEAVE_RETURN_IF_ERROR(TakeRequested());
    TakeNamed();
    GuessRest();
    return std::move(resolved_);
  }

 private:
  const std::string& Symbol(std::size_t input, std::size_t axis) const {
    static const std::string& none = *new std::string;
    const std::vector<std::string>& symbols = graph_.input_symbols()[input];
    return axis < symbols.size() ? symbols[axis] : none;
  }

  absl::Status TakeBatch() {
    batch_ = request_.batch.value_or(std::max<std::int64_t>(1, FixedBatch(graph_)));
    return CheckBatch(graph_, batch_);
  }

  absl::Status TakeRequested() {
    for (const auto& [name, shape] : request_.shapes) {
      const auto spec =
          std::find_if(resolved_.specs.begin(), resolved_.specs.end(),
                       [&name = name](const TensorSpec& each) { return each.name == name; });
      if (spec == resolved_.specs.end()) {
        return FieldError(absl::StrCat(origin_, ": shape"), absl::StrCat("input '", name, "'"),
                          InputNames());
      }
      const auto input = static_cast<std::size_t>(spec - resolved_.specs.begin());
      CLEAVE_RETURN_IF_ERROR(TakeShape(input, shape));
    }
    return absl::OkStatus();
  }

  absl::Status TakeShape(std::size_t input, const Shape& shape) {
    TensorSpec& spec = resolved_.specs[input];
    const TensorSpec& declared = graph_.inputs()[input];
    const std::string what = absl::StrCat(origin_, ": shape of input '", spec.name, "'");
    if (shape.size() != declared.shape.size()) {
      return FieldError(
          what, ShapeString(shape),
          absl::StrCat(declared.shape.size(), " dimensions as in ", ShapeString(declared.shape)));
    }
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] < 0) continue;
      if (declared.shape[axis] >= 0 && declared.shape[axis] != shape[axis]) {
        return FieldError(what, ShapeString(shape), ShapeString(declared.shape));
      }
      if (declared.shape[axis] >= 0) continue;
      spec.shape[axis] = shape[axis];
      const std::string& symbol = Symbol(input, axis);
      if (symbol.empty()) continue;
      const auto [known, is_new] = sizes_.emplace(symbol, shape[axis]);
      if (!is_new && known->second != shape[axis]) {
        return FieldError(absl::StrCat(what, ": dimension '", symbol, "'"), shape[axis],
                          absl::StrCat(known->second, " as another input has it"));
      }
    }
    return absl::OkStatus();
  }

  // A batch that the request gives by a shape counts for the other inputs too.
  std::int64_t Batch() const {
    for (std::size_t input = 0; input < resolved_.specs.size(); ++input) {
      const std::optional<int> axis = FreeBatchAxis(graph_, input);
      if (axis && resolved_.specs[input].shape[*axis] >= 0) {
        return resolved_.specs[input].shape[*axis];
      }
    }
    return batch_;
  }

  void TakeNamed() {
    const std::int64_t batch = Batch();
    for (std::size_t input = 0; input < resolved_.specs.size(); ++input) {
      const std::optional<int> axis = FreeBatchAxis(graph_, input);
      if (!axis || resolved_.specs[input].shape[*axis] >= 0) continue;
      resolved_.specs[input].shape[*axis] = batch;
      const std::string& symbol = Symbol(input, static_cast<std::size_t>(*axis));
      if (!symbol.empty()) sizes_.emplace(symbol, batch);
    }
  }

  void GuessRest() {
    // Sums of names wait until the names have their sizes.
    for (const bool sums : {false, true}) {
      for (std::size_t input = 0; input < resolved_.specs.size(); ++input) {
        for (std::size_t axis = 0; axis < resolved_.specs[input].shape.size(); ++axis) {
          const std::string& symbol = Symbol(input, axis);
          if (resolved_.specs[input].shape[axis] >= 0) continue;
          if (absl::StrContains(symbol, "+") == sums) Guess(input, axis, symbol);
        }
      }
    }
  }

  void Guess(std::size_t input, std::size_t axis, const std::string& symbol) {
    std::int64_t& size = resolved_.specs[input].shape[axis];
    if (const std::optional<std::int64_t> known = Evaluate(symbol)) {
      size = *known;
      return;
    }
    const TensorSpec& declared = graph_.inputs()[input];
    size = UsualSize(declared, axis, symbol, attempt_);
    if (!symbol.empty()) sizes_[symbol] = size;
    resolved_.guesses.push_back(absl::StrCat(DimensionText(declared, axis, symbol),
                                             " is free, taken as ", size, " (--shape ",
                                             declared.name, "=... changes it)"));
  }

  // The size of a name, or of a sum of names and numbers, as far as it is known.
  std::optional<std::int64_t> Evaluate(const std::string& symbol) const {
    if (symbol.empty()) return std::nullopt;
    std::int64_t sum = 0;
    for (const absl::string_view part : absl::StrSplit(symbol, '+')) {
      const std::string name(absl::StripAsciiWhitespace(part));
      std::int64_t number = 0;
      if (const auto known = sizes_.find(name); known != sizes_.end()) {
        sum += known->second;
      } else if (absl::SimpleAtoi(name, &number) && number >= 0 && number < kMaxDimension) {
        sum += number;
      } else {
        return std::nullopt;
      }
    }
    return sum;
  }

  std::string InputNames() const {
    return absl::StrJoin(graph_.inputs(), ", ", [](std::string* out, const TensorSpec& spec) {
      absl::StrAppend(out, "'", spec.name, "'");
    });
  }

  const Graph& graph_;
  const ShapeRequest& request_;
  const std::size_t attempt_;
  const std::string origin_;
  std::int64_t batch_ = 1;
  std::map<std::string, std::int64_t> sizes_;  // By the name of a free dimension.
  ResolvedInputs resolved_;
};

}  // namespace

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

absl::StatusOr<ResolvedInputs> ResolveInputs(const Graph& graph, const ShapeRequest& request,
                                             int attempt) {
  return Resolver(graph, request, attempt).Resolve();
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
      "NonZero", "NonMaxSuppression", "Unique",     "Compress", "Loop", "If",
      "Scan",    "SequenceAt",        "StringSplit"};
  const bool counts = std::any_of(graph.inputs().begin(), graph.inputs().end(),
                                  [](const TensorSpec& input) { return IsInteger(input.dtype); });
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
