#ifndef CLEAVE_LEARN_EVALUATE_H_
#define CLEAVE_LEARN_EVALUATE_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/cifar10.h"
#include "codec/image.h"

namespace cleave {

struct ExitEvaluation {
  std::string name;
  double accuracy = 0;                      // 0 to 1.
  std::vector<std::vector<int>> confusion;  // [true class][said class], in images.
};

// Adds the answer to one picture, the place of the largest logit, to the confusion table.
// REQUIRES: the table has a row and a column for each of `logits`, and label is one of them.
void CountAnswer(std::span<const float> logits, std::size_t label, ExitEvaluation& exit);

// Returns the accuracy that the confusion table tells; 0 for none.
double ShareRight(const std::vector<std::vector<int>>& confusion);

// Runs the model file over the images with ONNX Runtime, as a user would, and compares the largest
// logit of each output with the label. InvalidArgument for a model whose outputs are not batch x
// `classes`.
absl::StatusOr<std::vector<ExitEvaluation>> EvaluateExits(const std::string& model_path,
                                                          const LabelledImages& images,
                                                          const Preprocessing& how,
                                                          std::size_t classes);

}  // namespace cleave

#endif  // CLEAVE_LEARN_EVALUATE_H_
