#include "codec/neural_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kRank = 4;

// Rows (or columns) of a tensor that a row of cells covers.
struct Stretch {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

std::vector<Stretch> Stretches(std::int64_t size, int side) {
  std::vector<Stretch> stretches;
  for (std::int64_t i = 0; i < side; ++i) {
    stretches.push_back({i * size / side, ((i + 1) * size + side - 1) / side});
  }
  return stretches;
}

absl::Status CheckTensor(const Tensor& tensor) {
  if (tensor.dtype() == DataType::kFloat32 && tensor.shape().size() == kRank &&
      tensor.elements() > 0) {
    return absl::OkStatus();
  }
  return FieldError("filter's tensor",
                    absl::StrCat(DataTypeName(tensor.dtype()), " ", ShapeString(tensor.shape())),
                    "FP32 of batch x channels x height x width");
}

// The cells of one channel.
class ChannelCells {
 public:
  ChannelCells(std::int64_t height, std::int64_t width, int side)
      : side_(side),
        width_(width),
        rows_(Stretches(height, side)),
        columns_(Stretches(width, side)),
        greatest_(static_cast<std::size_t>(side) * static_cast<std::size_t>(side)),
        mean_(greatest_.size()) {}

  void Read(const float* plane) {
    std::size_t cell = 0;
    for (const Stretch& rows : rows_) {
      for (const Stretch& columns : columns_) {
        float greatest = -std::numeric_limits<float>::infinity();
        float sum = 0;
        for (std::int64_t y = rows.begin; y < rows.end; ++y) {
          for (std::int64_t x = columns.begin; x < columns.end; ++x) {
            const float value = plane[y * width_ + x];
            greatest = std::max(greatest, value);
            sum += value;
          }
        }
        greatest_[cell] = greatest;
        mean_[cell] =
            sum / static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
        ++cell;
      }
    }
  }

  float Greatest(int row, int column) const { return greatest_[At(row, column)]; }
  // Of the cell and those around it.
  float MeanAround(int row, int column) const {
    float sum = 0;
    int count = 0;
    for (int y = std::max(0, row - 1); y <= std::min(side_ - 1, row + 1); ++y) {
      for (int x = std::max(0, column - 1); x <= std::min(side_ - 1, column + 1); ++x) {
        sum += mean_[At(y, x)];
        ++count;
      }
    }
    return sum / static_cast<float>(count);
  }

 private:
  std::size_t At(int row, int column) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(side_) +
           static_cast<std::size_t>(column);
  }

  const int side_;
  const std::int64_t width_;
  const std::vector<Stretch> rows_;
  const std::vector<Stretch> columns_;
  std::vector<float> greatest_;
  std::vector<float> mean_;
};

float Dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

absl::Status CheckWeights(absl::string_view field, const std::vector<float>& weights,
                          std::size_t expected) {
  CLEAVE_RETURN_IF_ERROR(CheckCount(field, weights.size(), expected));
  for (const float weight : weights) {
    if (!std::isfinite(weight)) return FieldError(field, weight, "finite numbers");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<float>> CellFeatures(const std::vector<const Tensor*>& tensors,
                                                std::int64_t item, int side) {
  std::size_t features = 0;
  for (const Tensor* tensor : tensors) {
    CLEAVE_RETURN_IF_ERROR(CheckTensor(*tensor));
    features += 2 * static_cast<std::size_t>(tensor->shape()[1]);
  }
  std::vector<float> cells(features * static_cast<std::size_t>(side) *
                           static_cast<std::size_t>(side));
  std::size_t first = 0;
  for (const Tensor* tensor : tensors) {
    const Shape& shape = tensor->shape();
    const auto channels = static_cast<std::size_t>(shape[1]);
    const std::int64_t plane = shape[2] * shape[3];
    const float* item_values = tensor->floats().data() + item * shape[1] * plane;
    ChannelCells channel_cells(shape[2], shape[3], side);
    for (std::size_t channel = 0; channel < channels; ++channel) {
      channel_cells.Read(item_values + static_cast<std::int64_t>(channel) * plane);
      float* to = cells.data() + first + channel;
      for (int row = 0; row < side; ++row) {
        for (int column = 0; column < side; ++column) {
          to[0] = channel_cells.Greatest(row, column);
          to[channels] = channel_cells.MeanAround(row, column);
          to += features;
        }
      }
    }
    first += 2 * channels;
  }
  return cells;
}

std::size_t NeuralFilterParameters::features() const {
  std::size_t sum = 0;
  for (const int each : channels) sum += 2 * static_cast<std::size_t>(each);
  return sum;
}

absl::Status NeuralFilterParameters::Validate() const {
  CLEAVE_RETURN_IF_ERROR(
      CheckRange<std::size_t>("tensors", channels.size(), 1, kMostFilterTensors));
  std::int64_t sum = 0;
  for (const int each : channels) {
    CLEAVE_RETURN_IF_ERROR(CheckRange("channels", each, 1, kMostFilterChannels));
    sum += each;
  }
  CLEAVE_RETURN_IF_ERROR(
      CheckRange<std::int64_t>("channels of all tensors", sum, 1, kMostFilterChannels));
  CLEAVE_RETURN_IF_ERROR(CheckRange("side", side, 1, kMostFilterSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("units", units, 0, kMostFilterUnits));
  const auto count = static_cast<std::size_t>(units);
  CLEAVE_RETURN_IF_ERROR(CheckWeights("unit_weight", unit_weight, count * features()));
  CLEAVE_RETURN_IF_ERROR(CheckWeights("unit_bias", unit_bias, count));
  CLEAVE_RETURN_IF_ERROR(CheckWeights("output_weight", output_weight, count));
  CLEAVE_RETURN_IF_ERROR(CheckWeights("direct_weight", direct_weight, features()));
  return CheckWeights("bias", {bias}, 1);
}

absl::StatusOr<NeuralFilter> NeuralFilter::Create(NeuralFilterParameters parameters) {
  CLEAVE_RETURN_IF_ERROR(parameters.Validate());
  return NeuralFilter(std::move(parameters));
}

double NeuralFilter::Logit(const std::vector<float>& cells) const {
  const NeuralFilterParameters& by = parameters_;
  const std::size_t features = by.features();
  double greatest = -std::numeric_limits<double>::infinity();
  for (std::size_t at = 0; at < cells.size(); at += features) {
    const std::span<const float> cell(cells.data() + at, features);
    double logit = by.bias + Dot(by.direct_weight, cell);
    for (std::size_t unit = 0; unit < by.unit_bias.size(); ++unit) {
      const std::span<const float> weights(by.unit_weight.data() + unit * features, features);
      logit += by.output_weight[unit] * std::max(0.0F, by.unit_bias[unit] + Dot(weights, cell));
    }
    // What is no number counts as something, so that it is never held back.
    greatest =
        std::max(greatest, std::isnan(logit) ? std::numeric_limits<double>::infinity() : logit);
  }
  return greatest;
}

absl::StatusOr<std::vector<double>> NeuralFilter::Logits(
    const std::vector<const Tensor*>& tensors) const {
  CLEAVE_RETURN_IF_ERROR(
      CheckCount("filter's tensors", tensors.size(), parameters_.channels.size()));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(CheckTensor(*tensors[i]));
    const Shape& shape = tensors[i]->shape();
    if (shape[1] != parameters_.channels[i] || shape[0] != tensors.front()->shape()[0]) {
      return FieldError("filter's tensor", ShapeString(shape),
                        absl::StrCat(tensors.front()->shape()[0], "x", parameters_.channels[i],
                                     " x height x width"));
    }
  }
  std::vector<double> logits;
  for (std::int64_t item = 0; item < tensors.front()->shape()[0]; ++item) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<float> cells,
                            CellFeatures(tensors, item, parameters_.side));
    logits.push_back(Logit(cells));
  }
  return logits;
}

}  // namespace cleave
