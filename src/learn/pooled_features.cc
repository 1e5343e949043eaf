#include "learn/pooled_features.h"

#include <cstdint>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

// The mean over what is not features: outer x (rows x features) of tokens, or outer x features x
// rows of channels first. One row is the tensor as it is.
struct Layout {
  std::int64_t outer = 1;
  std::int64_t features = 1;
  std::int64_t rows = 1;
  bool features_last = true;
};

absl::StatusOr<Layout> LayoutOf(const Tensor& tensor, const ExitPlace& place) {
  const Shape& shape = tensor.shape();
  if (tensor.dtype() != DataType::kFloat32 || shape.size() != place.tensor.shape.size()) {
    return FieldError(absl::StrCat("tensor '", place.tensor.name, "'"),
                      absl::StrCat(DataTypeName(tensor.dtype()), " ", ShapeString(shape)),
                      absl::StrCat("FP32 of ", place.tensor.shape.size(), " dimensions"));
  }
  if (shape.size() == 4) return Layout{shape[0], shape[1], shape[2] * shape[3], false};
  if (shape.size() == 3) return Layout{shape[0], shape[2], shape[1], true};
  return Layout{shape[0], shape[1], 1, true};
}

std::vector<float> Pool(std::span<const float> values, const Layout& layout) {
  std::vector<float> pooled;
  pooled.reserve(static_cast<std::size_t>(layout.outer * layout.features));
  const std::int64_t row_step = layout.features_last ? layout.features : 1;
  const std::int64_t feature_step = layout.features_last ? 1 : layout.rows;
  for (std::int64_t outer = 0; outer < layout.outer; ++outer) {
    const float* sample = values.data() + outer * layout.rows * layout.features;
    for (std::int64_t feature = 0; feature < layout.features; ++feature) {
      double sum = 0;
      for (std::int64_t row = 0; row < layout.rows; ++row) {
        sum += static_cast<double>(sample[feature * feature_step + row * row_step]);
      }
      pooled.push_back(static_cast<float>(sum / static_cast<double>(layout.rows)));
    }
  }
  return pooled;
}

}  // namespace

PooledFeatures::PooledFeatures(std::unique_ptr<Chain> chain, std::vector<ExitPlace> places)
    : chain_(std::move(chain)), places_(std::move(places)) {}

absl::StatusOr<PooledFeatures> PooledFeatures::Create(std::shared_ptr<const Graph> graph,
                                                      const CutTable& table,
                                                      std::vector<ExitPlace> places,
                                                      const RuntimeOptions& runtime) {
  CutList cuts{table.order, {}};
  for (const CutInfo& info : table.cuts) cuts.cuts.push_back(info.cut);
  std::vector<int> boundaries = {0};
  for (const ExitPlace& place : places) boundaries.push_back(place.cut);
  boundaries.push_back(static_cast<int>(table.cuts.size()) - 1);
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Chain> chain,
                          Chain::Create(std::move(graph), cuts, boundaries, runtime));
  return PooledFeatures(std::move(chain), std::move(places));
}

absl::StatusOr<std::vector<std::vector<float>>> PooledFeatures::Run(const Tensor& input) const {
  std::vector<NamedTensor> tensors = {{chain_->graph().inputs().front().name, input}};
  std::vector<std::vector<float>> features;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const int at = static_cast<int>(i);
    CLEAVE_ASSIGN_OR_RETURN(ChainResult result, chain_->Run(at, at + 1, tensors));
    tensors = std::move(result.tensors);
    const Tensor& tensor = tensors.front().tensor;
    CLEAVE_ASSIGN_OR_RETURN(const Layout layout, LayoutOf(tensor, places_[i]));
    features.push_back(Pool(tensor.floats(), layout));
  }
  return features;
}

}  // namespace cleave
