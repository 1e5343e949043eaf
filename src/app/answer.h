#ifndef CLEAVE_APP_ANSWER_H_
#define CLEAVE_APP_ANSWER_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cleave/tensor.h"

namespace cleave::app {

// One class of an output of class scores.
struct ClassScore {
  std::size_t index = 0;
  float value = 0;         // As the model gave it.
  double probability = 0;  // 0 to 1.
};

// Returns whether the tensor holds class scores: FP32, [N, K], N and K at least 1.
bool IsClassScores(const Tensor& tensor);

// Returns the `count` highest scores of one item, highest first, of equals the lower index first; a
// value that is no number comes last. Scores that are probabilities already (none below 0, with the
// sum 1) stay as they are; others are taken for logits, whose softmax is the probability.
std::vector<ClassScore> TopClasses(std::span<const float> scores, std::size_t count);

// Returns what the outputs say for people, a line for each item of the batch: "dog.jpg: dog 93.1%,
// cat 4.2%, ...", with the strings of outputs of such before it. `items` are the items' names; a
// class without a name shows its index. Empty where no output holds strings, or scores of at least
// two classes, for as many items as there are names.
std::vector<std::string> AnswerLines(const std::vector<NamedTensor>& outputs,
                                     const std::vector<std::string>& items,
                                     const std::vector<std::string>& labels);

// InvalidArgument where there are labels, and no output with class scores has as many classes.
// `origin` says where the labels come from.
absl::Status CheckLabelsFit(const std::vector<NamedTensor>& outputs,
                            const std::vector<std::string>& labels, const std::string& origin);

}  // namespace cleave::app

#endif  // CLEAVE_APP_ANSWER_H_
