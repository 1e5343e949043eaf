#ifndef CLEAVE_DEVICE_FILTER_GATE_H_
#define CLEAVE_DEVICE_FILTER_GATE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "codec/filter_file.h"
#include "runtime/exit_models.h"

namespace cleave {

// Decides by a model's filter which inferences end at the filter's cut. Immutable; thread-safe.
class FilterGate {
 public:
  FilterGate(std::shared_ptr<const FilterFile> file, double check_share, std::uint64_t seed)
      : file_(std::move(file)), check_share_(check_share), seed_(seed) {}

  int cut() const { return file_->about().cut; }

  // Asks the filter about the tensors that the inference of this number has at the filter's cut. A
  // batch ends there only if none of its pictures shows anything. Which inferences are checked
  // depends on seed and number alone. InvalidArgument for tensors that are not the filter's.
  absl::StatusOr<FilterRecord> Ask(const std::vector<NamedTensor>& live,
                                   std::int64_t inference) const;

 private:
  std::shared_ptr<const FilterFile> file_;
  double check_share_;
  std::uint64_t seed_;
};

// Whether the exit can be left at the filter's cut: it is a candidate there that has the filter's
// tensors, and no output is made before it. InvalidArgument names what was found.
absl::Status CheckFilterFits(const FilterFile& file, const ExitModel& exit);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_FILTER_GATE_H_
