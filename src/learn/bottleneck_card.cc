#include "learn/bottleneck_card.h"

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cleave/tensor.h"
#include "core/text_table.h"
#include "learn/card_tables.h"

namespace cleave {
namespace {

std::string MacsText(std::int64_t macs, std::int64_t of) {
  return absl::StrCat(macs, " multiply-adds, ",
                      Percent(static_cast<double>(macs) / static_cast<double>(of)),
                      " of the model's");
}

void AddPoint(const RatePoint& point, std::vector<std::string>& row) {
  row.push_back(absl::StrFormat("%.0f: %.3g", point.bytes, point.distortion));
}

}  // namespace

std::string BottleneckCard(const BottleneckOptions& options, const BottleneckOutcome& outcome) {
  TextTable facts = FactsTable();
  facts.Add({"model", absl::StrCat("SHA-256 `", outcome.model_digest, "`")});
  facts.Add({"tensor", absl::StrCat("`", outcome.tensor, "`, ", ShapeString(outcome.shape))});
  facts.Add({"codec", absl::StrCat("SHA-256 `", outcome.codec_digest, "`")});
  facts.Add({"encoder", MacsText(outcome.encoder_macs, outcome.model_macs)});
  facts.Add({"decoder", MacsText(outcome.decoder_macs, outcome.model_macs)});
  facts.Add({"data", absl::StrCat(options.training.size(), " pictures, no labels; ",
                                  options.measuring.size(), " others to measure on")});
  facts.Add({"seed", absl::StrCat(options.seed)});
  facts.Add(
      {"steps", absl::StrCat(outcome.steps, " of ", options.steps, ", batch ", options.batch)});
  facts.Add({"time", absl::StrFormat("%.0f s", outcome.seconds)});
  facts.Add({"LibTorch against ONNX Runtime",
             absl::StrFormat("at most %.1e of a tensor's largest magnitude", outcome.worst_node)});

  TextTable alone({{"rate"}, {"bytes"}, {"distortion"}});
  for (const RatePoint& point : outcome.codec_alone) {
    alone.Add({absl::StrFormat("t%.0f", point.rate + 1), absl::StrFormat("%.0f", point.bytes),
               absl::StrFormat("%.3g", point.distortion)});
  }
  std::vector<TextTable::Column> columns = {{"step"}, {"loss"}, {"bytes / codec's"}};
  if (!outcome.records.empty()) {
    for (const RatePoint& point : outcome.records.front().points) {
      columns.push_back({absl::StrFormat("t%.3g", point.rate + 1)});
    }
  }
  TextTable records(columns);
  for (const BottleneckRecord& record : outcome.records) {
    std::vector<std::string> row = {absl::StrCat(record.step), absl::StrFormat("%.4f", record.loss),
                                    absl::StrFormat("%.3f", record.ratio)};
    for (const RatePoint& point : record.points) AddPoint(point, row);
    records.Add(std::move(row));
  }
  return absl::StrCat(
      "# ", std::filesystem::path(options.out).filename().string(), "\n\n",
      "An encoder and a decoder around the codec of a tensor, trained by `cleave train "
      "bottleneck`.\n\n",
      facts.Markdown(), "\n## The codec alone\n\n",
      "By ideal code lengths, on the pictures to measure on.\n\n", alone.Markdown(),
      "\n## Training\n\n",
      "Bytes for the same distortion as a share of the codec's, and bytes: distortion at some "
      "rates.\n\n",
      records.Markdown());
}

}  // namespace cleave
