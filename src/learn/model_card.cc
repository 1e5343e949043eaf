#include "learn/model_card.h"

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "core/text_table.h"
#include "learn/card_tables.h"
#include "model/attach_exits.h"

namespace cleave {
namespace {

std::string ExitTable(const std::vector<ExitEvaluation>& exits) {
  TextTable table({{"exit", TextTable::Align::kLeft}, {"accuracy on the test images"}});
  for (const ExitEvaluation& exit : exits) {
    table.Add({absl::StrCat("`", exit.name, "`"), Percent(exit.accuracy)});
  }
  return table.Markdown();
}

std::string EpochTable(const std::vector<EpochRecord>& epochs) {
  TextTable table(
      {{"epoch"}, {"loss"}, {"accuracy of each exit", TextTable::Align::kLeft}, {"seconds"}});
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    table.Add({absl::StrCat(i + 1), absl::StrFormat("%.4f", epochs[i].loss),
               absl::StrJoin(epochs[i].accuracy, ", ",
                             [](std::string* out, double share) { out->append(Percent(share)); }),
               absl::StrFormat("%.1f", epochs[i].seconds)});
  }
  return table.Markdown();
}

}  // namespace

absl::StatusOr<std::string> ModelCard(const TrainOptions& options, const ImageSet& data,
                                      const TrainOutcome& outcome) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string model, ReadFile(options.out));
  double seconds = 0;
  for (const EpochRecord& epoch : outcome.epochs) seconds += epoch.seconds;
  const std::string file = std::filesystem::path(options.out).filename().string();
  TextTable facts = FactsTable();
  facts.Add({"file", absl::StrCat(model.size(), " bytes, SHA-256 `", Sha256Hex(model), "`")});
  facts.Add(
      {"input",
       absl::StrCat("`image`, batch x 3 x 32 x 32, prepared as `",
                    std::filesystem::path(options.sidecar_path()).filename().string(), "` says")});
  facts.Add({"data", absl::StrCat(data.train.size(), " training and ", data.test.size(),
                                  " test images in ", data.classes.size(),
                                  " classes, SHA-256 of the pixels `", data.digest, "`")});
  facts.Add({"seed", absl::StrCat(options.seed)});
  facts.Add({"epochs", absl::StrCat(outcome.epochs.size(), " of batch ", options.batch)});
  facts.Add({"time", absl::StrFormat("%.0f s", seconds)});
  return absl::StrCat(
      "# ", file, "\n\n", "Multi-branch AlexNet for pictures of 32x32, ", outcome.exits.size(),
      outcome.exits.size() == 1 ? " exit" : " exits",
      ", trained jointly by `cleave train alexnet`. Every output is the logits of one exit, in ",
      "order; `", kExitsKey, "` in the file's metadata names them.\n\n", facts.Markdown(),
      "\n## Accuracy\n\n", "Of the file itself, run by ONNX Runtime.\n\n", ExitTable(outcome.exits),
      "\n## What the last exit takes for what\n\n",
      ConfusionTable(data.classes, outcome.exits.back().confusion), "\n## Training\n\n",
      EpochTable(outcome.epochs));
}

}  // namespace cleave
