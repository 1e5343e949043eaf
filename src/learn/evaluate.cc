#include "learn/evaluate.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

constexpr std::size_t kBatch = 250;

absl::StatusOr<Tensor> Prepare(const LabelledImages& images, std::size_t first, std::size_t count,
                               const Preprocessing& how) {
  std::vector<float> values(count * images.image_bytes);
  for (std::size_t i = 0; i < count; ++i) {
    NormalizePixels(images.image(first + i), how,
                    std::span(values).subspan(i * images.image_bytes, images.image_bytes));
  }
  return Tensor::FromFloats(how.InputShape(static_cast<std::int64_t>(count)), std::move(values));
}

}  // namespace

void CountAnswer(std::span<const float> logits, std::size_t label, ExitEvaluation& exit) {
  const auto said = std::max_element(logits.begin(), logits.end()) - logits.begin();
  ++exit.confusion[label][static_cast<std::size_t>(said)];
}

double ShareRight(const std::vector<std::vector<int>>& confusion) {
  int right = 0;
  int all = 0;
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    right += confusion[i][i];
    all += std::accumulate(confusion[i].begin(), confusion[i].end(), 0);
  }
  return all == 0 ? 0 : static_cast<double>(right) / all;
}

absl::StatusOr<std::vector<ExitEvaluation>> EvaluateExits(const std::string& model_path,
                                                          const LabelledImages& images,
                                                          const Preprocessing& how,
                                                          std::size_t classes) {
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(model_path));
  CLEAVE_ASSIGN_OR_RETURN(const auto model, WholeModel::Create(*graph, {}));
  std::vector<ExitEvaluation> exits;
  for (const TensorSpec& output : graph->outputs()) {
    exits.push_back({output.name, 0, {classes, std::vector<int>(classes, 0)}});
  }
  for (std::size_t first = 0; first < images.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, images.size() - first);
    CLEAVE_ASSIGN_OR_RETURN(Tensor batch, Prepare(images, first, count, how));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> outputs,
                            model->Run({{graph->inputs().front().name, std::move(batch)}}));
    for (std::size_t exit = 0; exit < exits.size(); ++exit) {
      const Tensor& logits = outputs[exit].tensor;
      const Shape expected = {static_cast<std::int64_t>(count), static_cast<std::int64_t>(classes)};
      if (logits.dtype() != DataType::kFloat32 || logits.shape() != expected) {
        return FieldError(absl::StrCat(model_path, ": output '", exits[exit].name, "'"),
                          ShapeString(logits.shape()),
                          absl::StrCat(ShapeString(expected), " of FP32"));
      }
      for (std::size_t i = 0; i < count; ++i) {
        const std::span<const float> row = logits.floats().subspan(i * classes, classes);
        CountAnswer(row, images.labels[first + i], exits[exit]);
      }
    }
  }
  for (ExitEvaluation& exit : exits) exit.accuracy = ShareRight(exit.confusion);
  return exits;
}

}  // namespace cleave
