#include "runtime/options.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/status_macros.h"
#include "runtime/ort_session.h"

namespace cleave {
namespace {

constexpr absl::string_view kSuffix = "ExecutionProvider";

// The library's own spelling in the list of providers, and the one that people and
// SessionOptionsAppendExecutionProvider use.
struct ProviderName {
  absl::string_view library;
  absl::string_view known_as;
};
constexpr std::array kNames = std::to_array<ProviderName>({
    {"Tensorrt", "TensorRT"},
    {"Xnnpack", "XNNPACK"},
    {"WebGpu", "WebGPU"},
    {"Azure", "AZURE"},
    {"Dml", "DML"},
});

std::string ShortName(absl::string_view library_name) {
  const absl::string_view stem = absl::StripSuffix(library_name, kSuffix);
  for (const ProviderName& name : kNames) {
    if (name.library == stem) return std::string(name.known_as);
  }
  return std::string(stem);
}

// Returns the provider's name as AvailableProviders() spells it, whatever its case in `spec`.
absl::StatusOr<std::string> FindProvider(const ProviderSpec& spec) {
  const std::vector<std::string> available = AvailableProviders();
  for (const std::string& name : available) {
    if (absl::EqualsIgnoreCase(name, spec.name)) return name;
  }
  return absl::NotFoundError(absl::StrCat("provider: found '", spec.name, "', this ONNX Runtime (",
                                          OnnxRuntimeVersion(), ") has ",
                                          absl::StrJoin(available, ", ")));
}

struct OptionArrays {
  explicit OptionArrays(const std::map<std::string, std::string>& options) {
    for (const auto& [key, value] : options) {
      keys.push_back(key.c_str());
      values.push_back(value.c_str());
    }
  }
  std::vector<const char*> keys;
  std::vector<const char*> values;
};

void AppendCuda(Ort::SessionOptions& session, const ProviderSpec& spec) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* raw = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&raw));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> cuda(
      raw, api.ReleaseCUDAProviderOptions);
  const OptionArrays options(spec.options);
  Ort::ThrowOnError(api.UpdateCUDAProviderOptions(cuda.get(), options.keys.data(),
                                                  options.values.data(), options.keys.size()));
  session.AppendExecutionProvider_CUDA_V2(*cuda);
}

void AppendTensorRt(Ort::SessionOptions& session, const ProviderSpec& spec) {
  const OrtApi& api = Ort::GetApi();
  OrtTensorRTProviderOptionsV2* raw = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&raw));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)>
      tensorrt(raw, api.ReleaseTensorRTProviderOptions);
  const OptionArrays options(spec.options);
  Ort::ThrowOnError(api.UpdateTensorRTProviderOptions(tensorrt.get(), options.keys.data(),
                                                      options.values.data(), options.keys.size()));
  session.AppendExecutionProvider_TensorRT_V2(*tensorrt);
}

void AppendGeneric(Ort::SessionOptions& session, const std::string& name,
                   const ProviderSpec& spec) {
  const std::unordered_map<std::string, std::string> options(spec.options.begin(),
                                                             spec.options.end());
  session.AppendExecutionProvider(name, options);
}

absl::Status AppendProvider(Ort::SessionOptions& session, const ProviderSpec& spec) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string name, FindProvider(spec));
  if (name == "CPU") {
    if (spec.options.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "provider CPU: found option '", spec.options.begin()->first, "', expected none"));
  }
  try {
    if (name == "CUDA") {
      AppendCuda(session, spec);
    } else if (name == "TensorRT") {
      AppendTensorRt(session, spec);
    } else {
      AppendGeneric(session, name, spec);
    }
    return absl::OkStatus();
  } catch (const Ort::Exception& error) {
    return absl::FailedPreconditionError(
        absl::StrCat("provider ", spec.ToString(), " does not load: ", error.what()));
  }
}

}  // namespace

absl::StatusOr<ProviderSpec> ProviderSpec::Parse(absl::string_view text) {
  const auto invalid = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("provider: found '", text, "' (", why,
                                                   "), expected NAME or NAME:key=value,..."));
  };
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  ProviderSpec spec;
  spec.name = std::string(absl::StripAsciiWhitespace(parts.first));
  if (spec.name.empty()) return invalid("no name");
  if (!absl::StrContains(text, ':')) return spec;
  for (const absl::string_view item : absl::StrSplit(parts.second, ',')) {
    const std::pair<absl::string_view, absl::string_view> option =
        absl::StrSplit(item, absl::MaxSplits('=', 1));
    if (!absl::StrContains(item, '=') || option.first.empty())
      return invalid("an option has no key=value");
    if (!spec.options.emplace(option.first, option.second).second) {
      return invalid("an option is given twice");
    }
  }
  return spec;
}

std::string ProviderSpec::ToString() const {
  if (options.empty()) return name;
  return absl::StrCat(name, ":", absl::StrJoin(options, ",", absl::PairFormatter("=")));
}

absl::Status RuntimeOptions::Validate() const {
  if (threads < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("threads: found ", threads, ", expected at least 1"));
  }
  return FindProvider(provider).status();
}

std::vector<std::string> AvailableProviders() {
  std::vector<std::string> names;
  for (const std::string& name : Ort::GetAvailableProviders()) names.push_back(ShortName(name));
  std::sort(names.begin(), names.end());
  return names;
}

std::string OnnxRuntimeVersion() { return OrtGetApiBase()->GetVersionString(); }

namespace ort {

absl::StatusOr<Ort::SessionOptions> MakeSessionOptions(const RuntimeOptions& options, Arena arena) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  try {
    Ort::SessionOptions session;
    session.SetIntraOpNumThreads(options.threads);
    session.SetInterOpNumThreads(1);
    session.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    session.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    session.AddConfigEntry("session.intra_op.allow_spinning", options.allow_spinning ? "1" : "0");
    if (arena == Arena::kShared) {
      session.AddConfigEntry("session.use_env_allocators", "1");
      // A memory pattern is one block for a whole run, which is worse for the cache than blocks
      // that are reused.
      session.DisableMemPattern();
    }
    CLEAVE_RETURN_IF_ERROR(AppendProvider(session, options.provider));
    return session;
  } catch (const Ort::Exception& error) {
    return ToStatus(error, "session options");
  }
}

void AvoidHalfCrash(Ort::SessionOptions& session) {
  session.AddConfigEntry("optimization.disable_specified_optimizers", "NchwcTransformer");
}

}  // namespace ort
}  // namespace cleave
