#include "experiments/dsc/results.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/statistics.h"
#include "experiments/dsc/json.h"

namespace cleave::experiments::dsc {

Summary Summarize(std::vector<double> values_us) {
  Summary summary;
  summary.n = static_cast<int>(values_us.size());
  if (values_us.empty()) return summary;
  summary.mean_us = Mean(values_us);
  summary.p25_us = Quantile(values_us, 0.25);
  summary.median_us = Median(values_us);
  summary.p75_us = Quantile(std::move(values_us), 0.75);
  return summary;
}

absl::string_view LoadName(Load load) { return load == Load::kIdle ? "idle" : "busy"; }

std::string PointResult::Key() const {
  return absl::StrFormat("%s|%.0f|%d|%s", model, rate_bps, batch, LoadName(load));
}

const PointResult* Results::Find(const std::string& key) const {
  const auto found = std::find_if(points.begin(), points.end(),
                                  [&](const PointResult& point) { return point.Key() == key; });
  return found == points.end() ? nullptr : &*found;
}

const EncodingForecast* Results::FindEncodings(const std::string& model, std::int64_t batch) const {
  const auto found =
      std::find_if(encodings.begin(), encodings.end(), [&](const EncodingForecast& forecast) {
        return forecast.model == model && forecast.batch == batch;
      });
  return found == encodings.end() ? nullptr : &*found;
}

void Results::Keep(EncodingForecast forecast) {
  std::erase_if(encodings, [&](const EncodingForecast& known) {
    return known.model == forecast.model && known.batch == forecast.batch;
  });
  encodings.push_back(std::move(forecast));
}

std::string ToJson(const Results& results) {
  return nlohmann::json(results).dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<Results> FromJson(absl::string_view json, const std::string& origin) {
  const Results fresh;
  try {
    const auto parsed = nlohmann::json::parse(json.begin(), json.end());
    Results results = parsed.get<Results>();
    const std::string found =
        parsed.value(nlohmann::json::json_pointer("/meta/schema"), std::string());
    if (found != fresh.meta.schema) {
      return absl::InvalidArgumentError(absl::StrCat(origin, ": meta.schema is '", found,
                                                     "', expected '", fresh.meta.schema, "'"));
    }
    return results;
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": not the results of an experiment: ", error.what()));
  }
}

}  // namespace cleave::experiments::dsc
