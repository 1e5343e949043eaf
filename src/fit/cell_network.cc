#include "fit/cell_network.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>
#include <vector>

#include "core/shuffle.h"
#include "core/uniform.h"

namespace cleave {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXf;
using Index = Eigen::Index;

constexpr std::size_t kBatch = 512;
constexpr int kEpochs = 16;
constexpr std::size_t kLeastSteps = 800;
constexpr double kRate = 3e-3;
constexpr float kLeastDeviation = 1e-3F;
constexpr float kFirstDecay = 0.9F;
constexpr float kSecondDecay = 0.999F;
constexpr float kEpsilon = 1e-8F;
// The logit of a cell that shows nothing, more or less.
constexpr float kFirstBias = -2;

// A uniform number from -bound to bound, the same on every machine.
float Uniform(std::mt19937_64& random, double bound) {
  return static_cast<float>((2 * DrawUniform(random) - 1) * bound);
}

// Weights with the state of Adam.
class Learned {
 public:
  Learned(Index rows, Index columns)
      : value(Matrix::Zero(rows, columns)),
        gradient(Matrix::Zero(rows, columns)),
        first_(Matrix::Zero(rows, columns)),
        second_(Matrix::Zero(rows, columns)) {}

  void Draw(std::mt19937_64& random, double bound) {
    for (float& weight : value.reshaped()) weight = Uniform(random, bound);
  }

  void Step(int number, double rate, double decay) {
    if (value.size() == 0) return;
    gradient += static_cast<float>(decay) * value;
    first_ = kFirstDecay * first_ + (1 - kFirstDecay) * gradient;
    second_ = kSecondDecay * second_ + (1 - kSecondDecay) * gradient.cwiseAbs2();
    const float first_sum = 1 - std::pow(kFirstDecay, static_cast<float>(number));
    const float second_sum = 1 - std::pow(kSecondDecay, static_cast<float>(number));
    value.array() -= static_cast<float>(rate) * (first_.array() / first_sum) /
                     ((second_.array() / second_sum).sqrt() + kEpsilon);
  }

  Matrix value;
  Matrix gradient;

 private:
  Matrix first_;
  Matrix second_;
};

class Fitter {
 public:
  Fitter(const CellRows& rows, const CellNetworkTerms& terms)
      : rows_(rows),
        terms_(terms),
        random_(terms.seed),
        unit_weight_(terms.units, rows.features.cols()),
        unit_bias_(1, terms.units),
        output_weight_(1, terms.units),
        direct_weight_(1, rows.features.cols()),
        bias_(1, 1) {
    mean_ = rows.features.colwise().mean();
    const Matrix centred = rows.features.rowwise() - mean_.transpose();
    deviation_ = (centred.cwiseAbs2().colwise().mean().cwiseSqrt().array() + kLeastDeviation);
    standard_ = centred.array().rowwise() / deviation_.transpose().array();
    unit_weight_.Draw(random_, std::sqrt(3.0 / static_cast<double>(rows.features.cols())));
    output_weight_.Draw(random_, std::sqrt(3.0 / std::max(1, terms.units)));
    bias_.value(0, 0) = kFirstBias;
  }

  NeuralFilterParameters Fit() {
    std::vector<Index> order(static_cast<std::size_t>(standard_.rows()));
    std::iota(order.begin(), order.end(), Index{0});
    const std::size_t batches = std::max<std::size_t>(1, order.size() / kBatch);
    const std::size_t steps = std::max(kLeastSteps, batches * kEpochs);
    for (std::size_t step = 0; step < steps; ++step) {
      const std::size_t batch = step % batches;
      if (batch == 0) Shuffle(order, random_);
      const std::size_t begin = batch * kBatch;
      const std::size_t size = std::min(kBatch, order.size() - begin);
      Differentiate({order.begin() + static_cast<std::ptrdiff_t>(begin),
                     order.begin() + static_cast<std::ptrdiff_t>(begin + size)});
      const double share = static_cast<double>(step) / static_cast<double>(steps);
      Move(static_cast<int>(step) + 1, kRate * (0.5 + 0.5 * std::cos(std::numbers::pi * share)));
    }
    return Folded();
  }

 private:
  void Differentiate(const std::vector<Index>& batch) {
    const Matrix inputs = standard_(batch, Eigen::all);
    const Matrix before =
        (inputs * unit_weight_.value.transpose()).rowwise() + unit_bias_.value.row(0);
    const Matrix units = before.cwiseMax(0.0F);
    const Vector logits =
        ((units * output_weight_.value.transpose() + inputs * direct_weight_.value.transpose())
             .array() +
         bias_.value(0, 0))
            .matrix();
    const Vector off = ((1 / (1 + (-logits.array()).exp())) - rows_.targets(batch).array()) /
                       static_cast<float>(batch.size());
    const Matrix at_units =
        ((off * output_weight_.value).array() * (before.array() > 0).cast<float>()).matrix();
    unit_weight_.gradient = at_units.transpose() * inputs;
    unit_bias_.gradient = at_units.colwise().sum();
    output_weight_.gradient = off.transpose() * units;
    direct_weight_.gradient = off.transpose() * inputs;
    bias_.gradient(0, 0) = off.sum();
  }

  void Move(int number, double rate) {
    for (Learned* weights : {&unit_weight_, &output_weight_, &direct_weight_}) {
      weights->Step(number, rate, terms_.decay);
    }
    unit_bias_.Step(number, rate, 0);
    bias_.Step(number, rate, 0);
  }

  // The weights of the features as they are.
  NeuralFilterParameters Folded() const {
    NeuralFilterParameters parameters;
    parameters.units = terms_.units;
    const Matrix unit_weight =
        unit_weight_.value.array().rowwise() / deviation_.transpose().array();
    const Matrix direct = direct_weight_.value.array().rowwise() / deviation_.transpose().array();
    const Matrix unit_bias = unit_bias_.value - (unit_weight * mean_).transpose();
    parameters.unit_weight.assign(unit_weight.data(), unit_weight.data() + unit_weight.size());
    parameters.unit_bias.assign(unit_bias.data(), unit_bias.data() + unit_bias.size());
    parameters.output_weight.assign(output_weight_.value.data(),
                                    output_weight_.value.data() + output_weight_.value.size());
    parameters.direct_weight.assign(direct.data(), direct.data() + direct.size());
    parameters.bias = bias_.value(0, 0) - (direct * mean_)(0, 0);
    return parameters;
  }

  const CellRows& rows_;
  const CellNetworkTerms& terms_;
  std::mt19937_64 random_;
  Vector mean_;
  Vector deviation_;
  Matrix standard_;
  Learned unit_weight_;
  Learned unit_bias_;
  Learned output_weight_;
  Learned direct_weight_;
  Learned bias_;
};

}  // namespace

NeuralFilterParameters FitCellNetwork(const CellRows& rows, const CellNetworkTerms& terms) {
  return Fitter(rows, terms).Fit();
}

}  // namespace cleave
