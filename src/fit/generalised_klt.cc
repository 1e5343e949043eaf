#include "fit/generalised_klt.h"

#include <Eigen/Dense>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace cleave {
namespace {

constexpr double kRidge = 1e-3;
constexpr double kLeastEigenvalue = 1e-12;

using Matrix = Eigen::MatrixXd;

Matrix ToEigen(const SymmetricMatrix& matrix) {
  return Eigen::Map<const Matrix>(matrix.values.data(), matrix.size, matrix.size);
}

}  // namespace

SymmetricMatrix SymmetricMatrix::Zero(int size) {
  return {size,
          std::vector<double>(static_cast<std::size_t>(size) * static_cast<std::size_t>(size))};
}

double SymmetricMatrix::Trace() const {
  double trace = 0;
  for (int i = 0; i < size; ++i) {
    trace += values[static_cast<std::size_t>(i) * static_cast<std::size_t>(size + 1)];
  }
  return trace;
}

absl::StatusOr<Basis> GeneralisedKlt(const SymmetricMatrix& covariance,
                                     const SymmetricMatrix& sensitivity) {
  const int size = covariance.size;
  if (size < 1 || sensitivity.size != size) {
    return FieldError("sensitivity", absl::StrCat("one of ", sensitivity.size, " channels"),
                      absl::StrCat(size, " as the covariance has"));
  }
  const double mean = sensitivity.Trace() / size;
  if (!(mean > 0)) return FieldError("sensitivity", absl::StrCat(mean), "some above 0");
  Matrix metric = ToEigen(sensitivity);
  metric.diagonal().array() += kRidge * mean;
  const Eigen::SelfAdjointEigenSolver<Matrix> of_metric(metric);
  const Eigen::VectorXd roots =
      of_metric.eigenvalues().cwiseMax(kLeastEigenvalue * mean).cwiseSqrt();
  const Matrix& axes = of_metric.eigenvectors();
  const Matrix root = axes * roots.asDiagonal() * axes.transpose();
  const Matrix inverse_root = axes * roots.cwiseInverse().asDiagonal() * axes.transpose();
  const Eigen::SelfAdjointEigenSolver<Matrix> of_both(root * ToEigen(covariance) * root);
  const Matrix vectors = of_both.eigenvectors().rowwise().reverse();
  const Matrix forward = vectors.transpose() * root;
  const Matrix inverse = (inverse_root * vectors).transpose();
  Basis basis;
  for (int i = 0; i < size; ++i) {
    for (int j = 0; j < size; ++j) {
      basis.forward.push_back(static_cast<float>(forward(i, j)));
      basis.inverse.push_back(static_cast<float>(inverse(i, j)));
    }
    basis.variance.push_back(std::max(0.0, of_both.eigenvalues()(size - 1 - i)));
  }
  return basis;
}

}  // namespace cleave
