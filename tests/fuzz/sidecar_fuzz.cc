// Any sidecar is refused, or says the same again after it was written out.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "codec/class_labels.h"
#include "codec/image.h"
#include "detect/detection_head.h"
#include "detect/detection_query.h"
#include "profile/accuracy_table.h"

namespace {

constexpr double kRounding = 1e-12;

void CheckPreprocessing(absl::string_view json) {
  const auto how = cleave::Preprocessing::FromJson(json, "fuzz", {});
  if (!how.ok()) return;
  const auto again = cleave::Preprocessing::FromJson(how->ToJson(), "fuzz", {});
  if (!again.ok() || again->ToJson() != how->ToJson()) std::abort();
}

void CheckAccuracy(absl::string_view json) {
  const auto table = cleave::AccuracyTable::FromJson(json, "fuzz");
  if (!table.ok()) return;
  for (const cleave::AccuracyRow& row : table->rows()) {
    const double accuracy = table->AccuracyOf(row);
    const cleave::ShareInterval interval = table->IntervalOf(row);
    const bool sound = accuracy >= 0 && accuracy <= 1 && interval.low <= accuracy + kRounding &&
                       accuracy <= interval.high + kRounding && table->Find(row.plan) != nullptr;
    if (!sound) std::abort();
  }
  const auto again = cleave::AccuracyTable::FromJson(table->ToJson(), "fuzz");
  if (!again.ok() || again->rows().size() != table->rows().size()) std::abort();
}

void CheckDetections(absl::string_view json) {
  const auto head = cleave::DetectionHead::FromJson(json, "fuzz");
  if (!head.ok() || !head->has_value()) return;
  if (!(**head).Validate().ok()) std::abort();
  const auto again = cleave::DetectionHead::FromJson((**head).ToJson(), "fuzz");
  if (!again.ok() || !again->has_value() || (**again).ToJson() != (**head).ToJson()) std::abort();
  if ((**head).kind == cleave::DetectionHead::Kind::kNone) return;
  const std::string query = cleave::DetectionQuery{**head, {8, 8}}.ToJson();
  const auto asked = cleave::DetectionQuery::FromJson(query, "fuzz");
  if (!asked.ok() || asked->ToJson() != query) std::abort();
}

void CheckQuery(absl::string_view json) {
  const auto query = cleave::DetectionQuery::FromJson(json, "fuzz");
  if (query.ok() && (query->input.width < 1 || query->input.height < 1)) std::abort();
}

void CheckLabels(absl::string_view json) {
  const auto labels = cleave::ClassLabelsFromJson(json, "fuzz");
  if (!labels.ok()) return;
  for (const std::string& label : *labels) {
    if (label.size() > 256) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const absl::string_view json(reinterpret_cast<const char*>(data), size);
  CheckPreprocessing(json);
  CheckAccuracy(json);
  CheckDetections(json);
  CheckQuery(json);
  CheckLabels(json);
  return 0;
}
