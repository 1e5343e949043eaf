#ifndef CLEAVE_RUNTIME_OPTIONS_H_
#define CLEAVE_RUNTIME_OPTIONS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// An ONNX Runtime execution provider as given by --provider NAME[:key=value,...].
struct ProviderSpec {
  std::string name = "CPU";  // Short name: CPU, CUDA, TensorRT, XNNPACK, ...
  std::map<std::string, std::string> options;

  // Grammar only; whether the library has it is RuntimeOptions::Validate's business.
  static absl::StatusOr<ProviderSpec> Parse(absl::string_view text);
  std::string ToString() const;
};

struct RuntimeOptions {
  int threads = 1;              // Intra-op threads of each session; 1 runs on the caller's thread.
  bool allow_spinning = false;  // Several sessions share the cores, so waiting threads sleep.
  ProviderSpec provider;

  // InvalidArgument for threads < 1; NotFound for a provider that the library lacks, with the list
  // it has.
  absl::Status Validate() const;
};

// Short names of the providers in the ONNX Runtime at hand.
std::vector<std::string> AvailableProviders();

// Version of the ONNX Runtime library in use, such as "1.30.0".
std::string OnnxRuntimeVersion();

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_OPTIONS_H_
