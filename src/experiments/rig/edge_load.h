#ifndef CLEAVE_EXPERIMENTS_RIG_EDGE_LOAD_H_
#define CLEAVE_EXPERIMENTS_RIG_EDGE_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace cleave::experiments::rig {

struct LoadOptions {
  std::string edge;   // HOST:PORT, reached directly.
  std::string model;  // File, served there under its own name.
  double utilization = 0.6;
  std::uint64_t seed = 1;
};

// Other clients of an edge: whole-model requests at random times (a Poisson process), whether or
// not earlier ones have been answered, so many that they keep it occupied to the stated share.
// Thread-compatible.
class EdgeLoad {
 public:
  // Measures what one request occupies the edge for, then starts.
  static absl::StatusOr<std::unique_ptr<EdgeLoad>> Start(const LoadOptions& options);
  virtual ~EdgeLoad() = default;

  // Stops; the share of the time since Start that these requests occupied the edge.
  virtual double Stop() = 0;
};

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_EDGE_LOAD_H_
