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
  std::string name = "CPU";  // A short name: CPU, CUDA, TensorRT, XNNPACK, ...
  std::map<std::string, std::string> options;

  // Checks only the grammar; RuntimeOptions::Validate checks whether the library has it.
  static absl::StatusOr<ProviderSpec> Parse(absl::string_view text);
  // Returns the text that Parse reads back as the same value.
  std::string ToString() const;
};

struct RuntimeOptions {
  int threads = 1;  // Intra-op threads of each session; 1 runs on the caller's thread.
  // Several sessions share the cores, so waiting threads sleep by default.
  bool allow_spinning = false;
  ProviderSpec provider;

  // InvalidArgument for threads < 1; NotFound for a provider that the library lacks, with the list
  // of those that it has.
  absl::Status Validate() const;
};

// Returns the short names of the providers in the ONNX Runtime in use.
std::vector<std::string> AvailableProviders();

// Returns the version of the ONNX Runtime in use, such as "1.30.0".
std::string OnnxRuntimeVersion();

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_OPTIONS_H_
