#ifndef CLEAVE_RUNTIME_ORT_SESSION_H_
#define CLEAVE_RUNTIME_ORT_SESSION_H_

// Internal to src/runtime: the only header that uses ONNX Runtime. Only .cc files here include it.

#include <onnxruntime_cxx_api.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "runtime/options.h"

namespace cleave::ort {

// Returns the process's ONNX Runtime environment, with the CPU arena that segment sessions share.
Ort::Env& Environment();

// Converts a caught exception to a status; its message starts with `what` (file, segment).
absl::Status ToStatus(const Ort::Exception& error, absl::string_view what);

ONNXTensorElementDataType ToOnnxType(DataType dtype);
std::optional<DataType> FromOnnxType(ONNXTensorElementDataType type);

enum class Arena { kShared, kOwn };

// Makes the session options that RuntimeOptions ask for. NotFound or FailedPrecondition when the
// provider is missing or does not load.
absl::StatusOr<Ort::SessionOptions> MakeSessionOptions(const RuntimeOptions& options, Arena arena);

// Leaves out the optimizer of blocked layouts. ONNX Runtime 1.30 and 1.32 die of a segmentation
// fault in it where a transposition reads an input of half precision.
void AvoidHalfCrash(Ort::SessionOptions& session);

// A tensor as ONNX Runtime holds it. `memory` is set if the value views a caller's tensor.
struct Value {
  std::optional<Tensor> memory;
  Ort::Value value{nullptr};
};
using ValuePtr = std::shared_ptr<const Value>;

// Makes a view of the tensor's bytes, which keeps them alive.
absl::StatusOr<ValuePtr> ToValue(const Tensor& tensor, absl::string_view what);

// Makes a view of the value's bytes, which keeps them alive. InvalidArgument for anything but a
// dense tensor of a DataType.
absl::StatusOr<Tensor> ToTensor(const ValuePtr& value, absl::string_view what);

// An input or output of a session. Without a dtype, it cannot be sent (`type_name` says what it
// is). Without a shape, none is known before the run; a dimension of -1 is not known.
struct Port {
  std::string name;
  std::optional<DataType> dtype;
  std::string type_name;
  std::optional<Shape> shape;
  // By dimension: the name of one that is not known; empty where it has none.
  std::vector<std::string> symbols;
};

// An ONNX Runtime session whose failures are statuses. Thread-safe.
class Session {
 public:
  // Loads the bytes of a model, which are not needed afterwards; external data is looked for in
  // `folder`. `what` names the model in errors.
  static absl::StatusOr<std::unique_ptr<Session>> FromBytes(absl::string_view bytes,
                                                            const std::string& folder,
                                                            Ort::SessionOptions options,
                                                            std::string what);
  static absl::StatusOr<std::unique_ptr<Session>> FromFile(const std::string& path,
                                                           const Ort::SessionOptions& options,
                                                           std::string what);

  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }

  // Runs on all inputs() in order and returns all outputs() in order.
  absl::StatusOr<std::vector<ValuePtr>> Run(const std::vector<ValuePtr>& inputs,
                                            const Ort::RunOptions& run_options) const;

  // For many runs on the same memory: bind it once, then run often. A binding serves one run at a
  // time.
  absl::StatusOr<Ort::IoBinding> NewBinding() const;
  absl::Status RunBound(const Ort::IoBinding& binding, const Ort::RunOptions& run_options) const;

  // Ends profiling (if the options enabled it) and returns the path of the file that was written.
  absl::StatusOr<std::string> EndProfiling();

 private:
  Session(Ort::Session session, std::string what);

  Ort::Session session_;
  std::string what_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

// Checks the name, type and known dimensions of a tensor that is given for `port`.
absl::Status CheckFits(const Port& port, const Tensor& tensor, absl::string_view what);

// Orders the tensors as `ports` are and converts them to values. InvalidArgument for a tensor that
// is missing, given twice, not asked for, or does not fit.
absl::StatusOr<std::vector<ValuePtr>> BindInputs(const std::vector<Port>& ports,
                                                 const std::vector<NamedTensor>& tensors,
                                                 absl::string_view what);

}  // namespace cleave::ort

#endif  // CLEAVE_RUNTIME_ORT_SESSION_H_
