#ifndef CLEAVE_EXPERIMENTS_DSC_MICRO_H_
#define CLEAVE_EXPERIMENTS_DSC_MICRO_H_

#include <istream>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/dsc/results.h"
#include "experiments/rig/rig.h"

namespace cleave::experiments::dsc {

// Measures head and tail as a chain in this process against the whole model, one thread, in pairs:
// the median over the frontier cuts of the median ratio of their pairs.
absl::StatusOr<double> MeasureChainRatio(const std::string& model_file, int pairs);

// Measures the resident memory of an edge process that serves this model at its frontier cuts
// (every one has been used) against a process with one bare session on it; both after their first
// run.
absl::StatusOr<ModelFigure> MeasureMemory(rig::Rig& rig, const std::string& model_file,
                                          const std::string& program);

// The other side of MeasureMemory: loads the model, runs it once, says "ready" and waits for the
// end of `in`.
absl::Status RunBareSession(const std::string& model_file, std::istream& in, std::ostream& out);

// Measures the time of one decision of the dynamic policy among `candidates` plans, as the median
// over many.
double MeasureDecisionUs(int candidates);

// Runs bench/loopback_bench and keeps its ratio.
absl::Status MeasureLoopback(const std::string& program, MicroResult& result);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_MICRO_H_
