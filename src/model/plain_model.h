#ifndef CLEAVE_MODEL_PLAIN_MODEL_H_
#define CLEAVE_MODEL_PLAIN_MODEL_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// What a small ONNX file that only calculates declares.
struct PlainModel {
  // The inputs without initializers; -1 is a dimension that is not fixed.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::map<std::string, std::string> metadata;
};

// Reads what the bytes declare and checks that they hold nothing but arithmetic on tensors: the
// operators of ONNX itself that networks of a few layers are made of, without subgraphs (no loops),
// functions, sparse weights or external data. InvalidArgument names the origin, what was found and
// what was expected.
absl::StatusOr<PlainModel> ReadPlainModel(absl::string_view bytes, const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_MODEL_PLAIN_MODEL_H_
