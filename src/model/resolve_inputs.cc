#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "model/dimension_names.h"
#include "model/input_shapes.h"

namespace cleave {
namespace {

// By attempt: the sizes of free dimensions, the likeliest first.
constexpr std::array<std::int64_t, kGuessAttempts> kPictureSide = {320, 320, 640, 224, 64, 32, 32};
constexpr std::array<std::int64_t, kGuessAttempts> kSignalSamples = {16000, 16000, 512, 512,
                                                                     48000, 1536,  16};
constexpr std::array<std::int64_t, kGuessAttempts> kSequenceLength = {16, 1, 64, 1, 128, 512, 2};
constexpr std::int64_t kColours = 3;
constexpr std::size_t kPictureRank = 4;

std::string DimensionText(const TensorSpec& spec, std::size_t axis, const std::string& symbol) {
  return absl::StrCat("input '", spec.name, "': dimension ", axis,
                      symbol.empty() ? "" : absl::StrCat(" ('", symbol, "')"));
}

bool MayCountColours(std::int64_t dimension) {
  return dimension < 0 || dimension == 1 || dimension == kColours || dimension == 4;
}

// The usual size of a free dimension that nothing else tells.
std::int64_t UsualSize(const TensorSpec& spec, std::size_t axis, const std::string& symbol,
                       std::size_t attempt) {
  const Shape& shape = spec.shape;
  const bool samples = !IsInteger(spec.dtype) && spec.dtype != DataType::kString;
  if (shape.size() == kPictureRank && samples && !HoldsAny(symbol, {"past", "seq"})) {
    const bool channels_last = !MayCountColours(shape[1]) || shape[3] == 1 || shape[3] == kColours;
    if (!MayCountColours(shape[channels_last ? 3 : 1])) return kSequenceLength[attempt];
    if (axis == (channels_last ? 3U : 1U)) return kColours;
    return kPictureSide[attempt];
  }
  const bool signal = samples && shape.size() <= 2 && axis + 1 == shape.size();
  return signal ? kSignalSamples[attempt] : kSequenceLength[attempt];
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

  // Sums wait until what they are of has its sizes.
  enum class Kind { kName, kSum, kTotal };

  Kind KindOf(std::size_t input, std::size_t axis) const {
    const std::string& symbol = Symbol(input, axis);
    if (absl::StrContains(symbol, "+")) return Kind::kSum;
    const TensorSpec& spec = graph_.inputs()[input];
    const bool mask = HoldsAny(spec.name, {"mask"}) && axis + 1 == spec.shape.size();
    return PastLength() && (mask || HoldsAny(symbol, {"total"})) ? Kind::kTotal : Kind::kName;
  }

  void GuessRest() {
    for (const Kind kind : {Kind::kName, Kind::kSum, Kind::kTotal}) {
      for (std::size_t input = 0; input < resolved_.specs.size(); ++input) {
        for (std::size_t axis = 0; axis < resolved_.specs[input].shape.size(); ++axis) {
          if (resolved_.specs[input].shape[axis] >= 0) continue;
          if (KindOf(input, axis) == kind) Guess(input, axis, kind);
        }
      }
    }
  }

  // The dimension of the states that a language model keeps of earlier tokens.
  std::optional<std::int64_t> PastLength() const {
    for (std::size_t input = 0; input < resolved_.specs.size(); ++input) {
      for (std::size_t axis = 0; axis < resolved_.specs[input].shape.size(); ++axis) {
        const std::string& symbol = Symbol(input, axis);
        const bool past = HoldsAny(symbol, {"past"}) && !absl::StrContains(symbol, "+");
        if (past) return resolved_.specs[input].shape[axis];
      }
    }
    return std::nullopt;
  }

  // The length of the first input of tokens, which are integers, or 1.
  std::int64_t NewLength() const {
    for (const TensorSpec& spec : resolved_.specs) {
      const bool tokens = IsInteger(spec.dtype) && spec.shape.size() > 1;
      if (tokens && !HoldsAny(spec.name, {"mask", "past"})) {
        return std::max<std::int64_t>(1, spec.shape.back());
      }
    }
    return 1;
  }

  void Guess(std::size_t input, std::size_t axis, Kind kind) {
    const std::string& symbol = Symbol(input, axis);
    std::int64_t& size = resolved_.specs[input].shape[axis];
    if (const std::optional<std::int64_t> known = Evaluate(symbol)) {
      size = *known;
      return;
    }
    const TensorSpec& declared = graph_.inputs()[input];
    size = kind == Kind::kTotal ? std::max<std::int64_t>(0, PastLength().value_or(0)) + NewLength()
                                : UsualSize(declared, axis, symbol, attempt_);
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

absl::StatusOr<ResolvedInputs> ResolveInputs(const Graph& graph, const ShapeRequest& request,
                                             int attempt) {
  return Resolver(graph, request, attempt).Resolve();
}

}  // namespace cleave
