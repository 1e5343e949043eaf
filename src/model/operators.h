#ifndef CLEAVE_MODEL_OPERATORS_H_
#define CLEAVE_MODEL_OPERATORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// One node of a model with all that decides what it computes. A plain value.
struct Operator {
  using Value = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>,
                             std::vector<float>, Tensor>;

  std::string type;    // "Conv".
  std::string domain;  // Empty for the operators of ONNX itself.
  std::string name;    // The node's, or that of its first output where it has none.
  // By position; a name is empty where an optional tensor is left out.
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, Value, std::less<>> attributes;

  // Return the attribute, or `otherwise` where the node has none of this name and type.
  std::int64_t Int(absl::string_view attribute, std::int64_t otherwise) const;
  float Float(absl::string_view attribute, float otherwise) const;
  std::string Text(absl::string_view attribute, const std::string& otherwise) const;
  std::vector<std::int64_t> Ints(absl::string_view attribute,
                                 const std::vector<std::int64_t>& otherwise) const;
  bool Has(absl::string_view attribute) const { return attributes.contains(attribute); }

  // Returns "Conv node 'stem'", for errors.
  std::string What() const;
};

// A model as a program: operators in an order in which they can run, and its weights.
struct OperatorGraph {
  std::int64_t opset = 0;  // Of ONNX itself.
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<Operator> operators;
  std::map<std::string, Tensor> constants;
};

// Reads the bytes of a model whose nodes are sorted, as those of Graph::ExtractModel are; `folder`
// is that of its external data. InvalidArgument names `origin`, the node and the attribute or
// tensor that cannot be read: a subgraph, a sparse tensor, an element type without a DataType, data
// of the wrong length. Thread-safe.
absl::StatusOr<OperatorGraph> ReadOperators(absl::string_view bytes, const std::string& folder,
                                            const std::string& origin);

// Returns the bytes of the model with these tensors, which are FP32, as its outputs in place of its
// own. InvalidArgument where the bytes are no model. Thread-safe.
absl::StatusOr<std::string> WithOutputs(absl::string_view bytes,
                                        const std::vector<std::string>& tensors,
                                        const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_MODEL_OPERATORS_H_
