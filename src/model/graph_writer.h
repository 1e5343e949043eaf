#ifndef CLEAVE_MODEL_GRAPH_WRITER_H_
#define CLEAVE_MODEL_GRAPH_WRITER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// What a convolution or a matrix product multiplies and adds. The writer copies both.
struct WriterWeights {
  std::span<const float> weights;  // Conv: out x in x kernel x kernel. Gemm: out x in.
  std::span<const float> bias;     // There is one for each output channel.
};

// Writes a network as a plain ONNX model (opset 13, IR version 8), operator by operator. Every
// tensor is [batch, ...] with a symbolic first dimension named "batch"; the shapes in this
// interface leave it out. Each operator names its output and returns that name, for the next one to
// read. After the first fault (an unknown input, weights of the wrong number, a name that is
// taken), further operators do nothing, and Serialize and Save return the fault. Not thread-safe.
class GraphWriter {
 public:
  explicit GraphWriter(absl::string_view graph_name);
  ~GraphWriter();
  GraphWriter(const GraphWriter&) = delete;
  GraphWriter& operator=(const GraphWriter&) = delete;

  // Adds an input of the model; `shape` has no batch dimension.
  std::string Input(absl::string_view name, const Shape& shape);

  // The kernel is square and slides over channels x height x width; pads and strides are the same
  // on all sides.
  std::string Conv(absl::string_view name, absl::string_view input, std::int64_t out_channels,
                   std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                   const WriterWeights& weights);
  // The kernel's elements lie `dilation` apart, and the plane keeps its size: the stride is 1. The
  // kernel has an odd side.
  std::string DilatedConv(absl::string_view name, absl::string_view input,
                          std::int64_t out_channels, std::int64_t kernel, std::int64_t dilation,
                          const WriterWeights& weights);
  std::string Relu(absl::string_view name, absl::string_view input);
  // Adds two tensors of the same shape.
  std::string Add(absl::string_view name, absl::string_view a, absl::string_view b);
  // There is no padding; what does not fill a window at the right and bottom is left out.
  std::string MaxPool(absl::string_view name, absl::string_view input, std::int64_t kernel,
                      std::int64_t stride);
  // Averages channels x height x width over height and width, which become 1 x 1.
  std::string GlobalAveragePool(absl::string_view name, absl::string_view input);
  // Joins all dimensions but the batch into one.
  std::string Flatten(absl::string_view name, absl::string_view input);
  std::string Gemm(absl::string_view name, absl::string_view input, std::int64_t out_features,
                   const WriterWeights& weights);

  // Makes a tensor an output of the model; the file lists outputs in the order of the calls.
  void Output(absl::string_view tensor);
  void Metadata(absl::string_view key, absl::string_view value);

  // Returns the shape of a tensor written so far, without the batch; empty if there is none.
  Shape ShapeOf(absl::string_view tensor) const;

  // Returns the bytes of the file, or InvalidArgument with the first fault. The same calls give the
  // same bytes.
  absl::StatusOr<std::string> Serialize() const;
  absl::Status Save(const std::string& path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cleave

#endif  // CLEAVE_MODEL_GRAPH_WRITER_H_
