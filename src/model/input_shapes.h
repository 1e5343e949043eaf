#ifndef CLEAVE_MODEL_INPUT_SHAPES_H_
#define CLEAVE_MODEL_INPUT_SHAPES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "model/graph.h"

namespace cleave {

// The shapes of a model's inputs, in the model's order. What a run costs depends on them.
using InputShapes = std::vector<Shape>;

// Returns the elements of all inputs together, by which work is scaled where it was not measured.
// Dimensions that make no sense count as 0.
std::int64_t InputElements(const InputShapes& shapes);

// Returns a text for people: "1x3x320x320", with a comma between inputs.
std::string InputShapesString(const InputShapes& shapes);

// Returns the shapes of these tensors, which are a model's inputs, in the model's order; the shape
// of an input that is not among them is left as the model has it.
InputShapes ShapesOf(const Graph& graph, const std::vector<NamedTensor>& inputs);
InputShapes ShapesOf(const std::vector<TensorSpec>& specs);

// Returns the dimension of this input that counts the batch's items: the one that is named so, else
// a first dimension that is free and not named after a length. Nothing for an input without one: a
// scalar, a vector, or an input whose first dimension is fixed.
std::optional<int> FreeBatchAxis(const Graph& graph, std::size_t input);

// Returns the same, or 0 for an input whose first dimension is the batch that the model is fixed
// at.
std::optional<int> BatchAxis(const Graph& graph, std::size_t input);

// Returns the batch size that the model is fixed at, which is the first dimension of the first
// input with at least two dimensions, or 1 if there is none; 0 where the batch is free.
std::int64_t FixedBatch(const Graph& graph);

// Returns the batch size of inputs of these shapes: the size of the first free batch dimension, or
// the fixed batch where there is none.
std::int64_t BatchOf(const Graph& graph, const InputShapes& shapes);

// Checks that inputs of the model can have this batch size. InvalidArgument for a batch below 1, or
// another than that at which the model is fixed.
absl::Status CheckBatch(const Graph& graph, std::int64_t batch);

// Says whether the type is one of the integers that may be indices, sizes or tokens.
bool IsInteger(DataType dtype);

// Says at which shapes a model is looked at: measured, verified, shown.
struct ShapeRequest {
  // Nothing: the batch that the model is fixed at, or 1.
  std::optional<std::int64_t> batch;
  // By input name; -1 leaves a dimension to the guess.
  std::map<std::string, Shape> shapes;
};

// Reads "NAME=1,3,320,320", where NAME may hold "=" too, into `request`. InvalidArgument names what
// was found and what was expected.
absl::Status ParseShapeFlag(absl::string_view text, ShapeRequest& request);

// A model's inputs with every dimension known.
struct ResolvedInputs {
  std::vector<TensorSpec> specs;
  // One sentence for each free dimension that nothing told, batch aside: what was taken, and the
  // flag that changes it.
  std::vector<std::string> guesses;
};

// Gives every free dimension a value: that of `request`, else that of another dimension of the same
// name (a sum of names included), else the batch, else what inputs of this kind usually have: of a
// language model's states of earlier tokens and new tokens, a mask has the sum. A picture's sides
// become 320, a signal 16000, a sequence of tokens 16; where a model refuses that, a higher
// `attempt` gives other sizes, below kGuessAttempts. InvalidArgument if the request names an
// unknown input, has another rank, contradicts a fixed dimension or itself, or has a batch other
// than the model's fixed one.
absl::StatusOr<ResolvedInputs> ResolveInputs(const Graph& graph, const ShapeRequest& request,
                                             int attempt = 0);
inline constexpr int kGuessAttempts = 7;

// Returns `shapes` at another batch size. InvalidArgument for a batch below 1, or another than that
// at which the model is fixed.
absl::StatusOr<InputShapes> WithBatch(const Graph& graph, InputShapes shapes, std::int64_t batch);

// Returns the inputs' shapes at this batch size, with a guess for every other free dimension.
absl::StatusOr<InputShapes> ShapesAtBatch(const Graph& graph, std::int64_t batch);

// Returns the model's inputs with these shapes. REQUIRES: there are as many shapes as inputs.
std::vector<TensorSpec> SpecsOf(const Graph& graph, const InputShapes& shapes);

// Says whether the shapes inside the model may depend on more than the shapes of its inputs: an
// operator keeps as many elements as its data say, an input of integers may be a size, or one of
// strings is taken apart.
bool ShapesDependOnData(const Graph& graph);

// Checks that tensors of these shapes, in the model's order, can be the model's inputs: ranks and
// fixed dimensions are as declared, and dimensions of one name that count the batch agree.
// InvalidArgument names the input and the dimension.
absl::Status CheckShapes(const Graph& graph, const InputShapes& shapes);

}  // namespace cleave

#endif  // CLEAVE_MODEL_INPUT_SHAPES_H_
