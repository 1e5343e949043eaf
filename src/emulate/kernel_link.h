#ifndef CLEAVE_EMULATE_KERNEL_LINK_H_
#define CLEAVE_EMULATE_KERNEL_LINK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "emulate/process.h"

namespace cleave::emulate {

// A link shaped by the kernel: a network namespace for the device, joined to this one by a veth
// pair with a `tbf` at each end. Needs root, and the programs `ip` and `tc`. All of it goes with
// the object; what a dead process left behind is cleared by the next Create. Thread-compatible.
class KernelLink {
 public:
  // Returns OK where a namespace can be made; else the error says why not.
  static absl::Status Available();

  static absl::StatusOr<std::unique_ptr<KernelLink>> Create(double up_bps, double down_bps);
  ~KernelLink();
  KernelLink(const KernelLink&) = delete;
  KernelLink& operator=(const KernelLink&) = delete;

  // Sets the rates from now on, also for what already waits.
  absl::Status SetRate(double up_bps, double down_bps);

  // Does the same without a process for each change, for rates that change many times a second: one
  // `tc` for each end is kept running. A change that the kernel refuses is an error of a later one.
  // Each change lets a packet pass at once.
  absl::Status StreamRate(double up_bps, double down_bps);

  // Returns what goes before the argv of a program that shall run on the device's side.
  std::vector<std::string> inside_prefix() const;
  // Returns the device's address.
  const std::string& inside_address() const { return inside_address_; }
  // Returns the edge's address, seen from the device.
  const std::string& outside_address() const { return outside_address_; }

 private:
  // The two ends of the link: the device's, inside the namespace, and the edge's. Each shapes what
  // it sends.
  enum class End { kInside, kOutside };

  KernelLink(std::string name, int subnet);
  absl::Status Build();
  absl::Status Shape(End end, double bps);
  std::vector<std::string> ShapeCommand(End end, double bps, double least_burst_bytes) const;
  // Returns the first words of a `tc` command for this end.
  std::vector<std::string> Tc(End end) const;
  absl::StatusOr<std::unique_ptr<Process>> StartStream(End end) const;

  std::string name_;     // The namespace, "cleave-<pid>-<n>".
  std::string outside_;  // The interface on this side.
  std::string inside_;
  std::string inside_address_;
  std::string outside_address_;
  std::unique_ptr<Process> stream_up_, stream_down_;
};

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_KERNEL_LINK_H_
