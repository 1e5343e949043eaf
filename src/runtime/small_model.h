#ifndef CLEAVE_RUNTIME_SMALL_MODEL_H_
#define CLEAVE_RUNTIME_SMALL_MODEL_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

namespace ort {
class Session;
}  // namespace ort

// A network of a few layers on plain floats of fixed shapes, which runs within microseconds on the
// caller's thread. Immutable; thread-safe.
class SmallModel {
 public:
  // The memory for one run at a time, bound to the session once. Thread-compatible; several lanes
  // of a model may run at once.
  class Lane {
   public:
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    // The caller fills the inputs, which are in the order of Create.
    std::span<float> input(int index);
    // The outputs of the last Run that was OK.
    std::span<const float> output(int index) const;

    // Returns errors of ONNX Runtime, with the model's name.
    absl::Status Run();

   private:
    friend class SmallModel;
    struct Impl;
    explicit Lane(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };

  // Loads a model that is plain arithmetic (model/plain_model.h) with exactly these inputs and
  // outputs, in any order in the file. InvalidArgument names the origin, the tensor, what was found
  // and what was expected. The bytes are not needed afterwards.
  // REQUIRES: the specs are FP32 with every dimension at least 1.
  static absl::StatusOr<std::unique_ptr<SmallModel>> Create(absl::string_view bytes,
                                                            const std::string& origin,
                                                            std::vector<TensorSpec> inputs,
                                                            std::vector<TensorSpec> outputs);
  ~SmallModel();

  // The model must outlive the lane.
  absl::StatusOr<std::unique_ptr<Lane>> NewLane() const;

 private:
  SmallModel(std::unique_ptr<ort::Session> session, std::vector<TensorSpec> inputs,
             std::vector<TensorSpec> outputs);

  const std::unique_ptr<ort::Session> session_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
};

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_SMALL_MODEL_H_
