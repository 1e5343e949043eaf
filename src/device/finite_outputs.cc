#include "device/finite_outputs.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

// Whether no element has all of the exponent's bits set, by which formats after IEEE 754 say
// infinity and NaN.
template <typename Bits>
bool NoneHasAll(const Tensor& tensor, Bits exponent) {
  for (std::size_t at = 0; at + sizeof(Bits) <= tensor.size_bytes(); at += sizeof(Bits)) {
    Bits bits = 0;
    std::memcpy(&bits, tensor.data() + at, sizeof(bits));
    if ((bits & exponent) == exponent) return false;
  }
  return true;
}

}  // namespace

bool IsFinite(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DataType::kFloat32:
      return NoneHasAll<std::uint32_t>(tensor, 0x7f800000U);
    case DataType::kFloat64:
      return NoneHasAll<std::uint64_t>(tensor, 0x7ff0000000000000U);
    case DataType::kFloat16:
      return NoneHasAll<std::uint16_t>(tensor, 0x7c00U);
    case DataType::kBFloat16:
      return NoneHasAll<std::uint16_t>(tensor, 0x7f80U);
    default:
      return true;
  }
}

void FiniteOutputs::Learn(const std::vector<NamedTensor>& outputs) {
  for (const NamedTensor& output : outputs) {
    if (IsFinite(output.tensor)) continue;
    const absl::MutexLock lock(&mutex_);
    not_finite_.insert(output.name);
  }
}

absl::Status FiniteOutputs::Check(const std::vector<NamedTensor>& outputs) const {
  for (const NamedTensor& output : outputs) {
    if (IsFinite(output.tensor)) continue;
    const absl::MutexLock lock(&mutex_);
    if (not_finite_.contains(output.name)) continue;
    return absl::DataLossError(absl::StrCat(
        "output '", output.name,
        "': found NaN or infinity, expected finite numbers, as runs on the device give"));
  }
  return absl::OkStatus();
}

}  // namespace cleave
