#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/check.h"
#include "experiments/dsc/experiment.h"

namespace cleave::experiments::dsc {
namespace {

constexpr std::int64_t kMaxPictureBytes = std::int64_t{64} << 20;

// What each word stands for in `known`.
template <typename Value>
absl::StatusOr<std::vector<Value>> ParseWords(
    const std::vector<std::string>& words, const char* field,
    const std::vector<std::pair<std::string, Value>>& known) {
  std::vector<Value> values;
  for (const std::string& word : words) {
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& each) { return each.first == word; });
    if (found == known.end()) {
      return FieldError(field, absl::StrCat("'", word, "'"),
                        absl::StrJoin(known, ", ", [](std::string* out, const auto& each) {
                          out->append(each.first);
                        }));
    }
    values.push_back(found->second);
  }
  return values;
}

}  // namespace

absl::StatusOr<std::vector<Load>> ParseLoads(const std::vector<std::string>& words) {
  return ParseWords<Load>(words, "loads", {{"idle", Load::kIdle}, {"busy", Load::kBusy}});
}

absl::StatusOr<std::vector<Part>> ParseParts(const std::vector<std::string>& words) {
  return ParseWords<Part>(words, "parts",
                          {{"micro", Part::kMicro},
                           {"grid", Part::kGrid},
                           {"step", Part::kStep},
                           {"trace", Part::kTrace},
                           {"kills", Part::kKills}});
}

void Options::Shorten() {
  rates_bps = {2e6, 10e6, 50e6};
  batches = {1};
  loads = {Load::kIdle};
  time_budget_us = std::int64_t{4} * 60 * 1'000'000;
  repeats = 2;
  final_repeats = 2;
  warmup = 4;
  kills = 5;
  step_cycles = 1;
  trace_s = 12;
  micro_pairs = 8;
}

absl::Status Options::Validate() const {
  if (rates_bps.empty() || batches.empty() || loads.empty()) {
    return absl::InvalidArgumentError("rates, batches, loads: found an empty list");
  }
  for (const double rate : rates_bps) {
    if (!(rate >= 1e4 && rate <= 1e10)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("rates: found %g Mbit/s, expected 0.01 to 10000", rate / 1e6));
    }
  }
  for (const std::int64_t batch : batches) {
    if (batch < 1 || batch > 1024) {
      return FieldError("batches", batch, "1 to 1024");
    }
  }
  if (!(device_share > 0 && device_share <= 1)) {
    return FieldError("device-share", device_share, "above 0, at most 1");
  }
  if (picture_bytes < 0 || picture_bytes > kMaxPictureBytes) {
    return FieldError("picture-size", picture_bytes,
                      absl::StrCat("0 to ", kMaxPictureBytes, " bytes"));
  }
  if (output.empty()) return absl::InvalidArgumentError("output: found no file name");
  return absl::OkStatus();
}

std::vector<PointSpec> PlanGrid(const Options& options, std::size_t models) {
  std::vector<PointSpec> plan;
  for (const std::size_t offset : {0, 1}) {
    for (const std::int64_t batch : options.batches) {
      for (std::size_t model = 0; model < models; ++model) {
        for (const Load load : options.loads) {
          for (std::size_t rate = offset; rate < options.rates_bps.size(); rate += 2) {
            plan.push_back({model, options.rates_bps[rate], batch, load, offset == 0});
          }
        }
      }
    }
  }
  return plan;
}

absl::StatusOr<std::vector<std::string>> ListModels(const std::vector<std::string>& models) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : models) {
    std::error_code failed;
    if (!fs::is_directory(path, failed)) {
      if (!fs::exists(path, failed))
        return absl::NotFoundError(absl::StrCat(path, ": no such file"));
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path, failed)) {
      if (entry.path().extension() == ".onnx") found.push_back(entry.path().string());
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  if (files.empty()) return absl::NotFoundError("models: found no .onnx file");
  return files;
}

}  // namespace cleave::experiments::dsc
