#ifndef CLEAVE_FIT_GENERALISED_KLT_H_
#define CLEAVE_FIT_GENERALISED_KLT_H_

#include <vector>

#include "absl/status/statusor.h"

namespace cleave {

// A symmetric matrix of size x size values, row by row.
struct SymmetricMatrix {
  int size = 0;
  std::vector<double> values;

  static SymmetricMatrix Zero(int size);
  double Trace() const;
};

// A change of basis whose components, in the order of their variance, are uncorrelated and of which
// equal errors are equally bad.
struct Basis {
  std::vector<float> forward;    // [component][channel].
  std::vector<float> inverse;    // [component][channel]: what one unit of a component adds.
  std::vector<double> variance;  // By component, descending.
};

// The generalised Karhunen-Loève transform: with the covariance C of some channels and the
// sensitivity S (an error e of the channels costs e' S e), it is V' S^(1/2), where V has the
// eigenvectors of S^(1/2) C S^(1/2). A thousandth of the mean sensitivity is added to all
// directions, so that no error is free. InvalidArgument where the sizes differ or nothing is
// sensitive.
absl::StatusOr<Basis> GeneralisedKlt(const SymmetricMatrix& covariance,
                                     const SymmetricMatrix& sensitivity);

}  // namespace cleave

#endif  // CLEAVE_FIT_GENERALISED_KLT_H_
