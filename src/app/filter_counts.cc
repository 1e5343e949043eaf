#include "app/filter_counts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/reliability.h"
#include "core/statistics.h"

namespace cleave::app {
namespace {

using Json = nlohmann::ordered_json;
using Outcome = FilterRecord::Outcome;

}  // namespace

bool IsFiltered(const InferenceRecord& record) {
  return record.filter && record.filter->outcome == Outcome::kFiltered;
}

void FilterCounts::Add(const InferenceRecord& record,
                       const std::optional<BatchDetections>& detections) {
  if (!record.filter) return;
  const Outcome outcome = record.filter->outcome;
  if (outcome == Outcome::kPassed) ++passed_;
  if (outcome == Outcome::kFiltered) ++filtered_;
  if (outcome != Outcome::kChecked) return;
  ++checked_;
  if (!detections) return;
  ++judged_;
  const bool found = std::any_of(detections->begin(), detections->end(),
                                 [](const auto& item) { return !item.empty(); });
  if (found) ++wrong_;
}

std::string FilterCounts::ToJson() const {
  Json json = {{"passed", passed_}, {"filtered", filtered_}, {"checked", checked_}};
  for (const char* key : {"wrong", "low", "high", "confidence"}) json[key] = nullptr;
  if (judged_ > 0) {
    const Bounds bounds = ClopperPearson(wrong_, judged_, kConfidence);
    json["wrong"] = wrong_;
    json["low"] = bounds.low;
    json["high"] = bounds.high;
    json["confidence"] = kConfidence;
  }
  return json.dump();
}

std::string FilterCounts::ToText() const {
  std::string text = absl::StrCat("x", filtered_, " of ", passed_ + filtered_ + checked_);
  if (checked_ == 0) return text;
  absl::StrAppend(&text, "; checked x", checked_);
  if (judged_ == 0) return text;
  const Bounds bounds = ClopperPearson(wrong_, judged_, kConfidence);
  absl::StrAppendFormat(&text, ", of which %d showed something (95%% interval %.1f%% to %.1f%%)",
                        wrong_, 100 * bounds.low, 100 * bounds.high);
  return text;
}

}  // namespace cleave::app
