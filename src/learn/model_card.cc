#include "learn/model_card.h"

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "learn/card_tables.h"
#include "model/attach_exits.h"

namespace cleave {
namespace {

std::string ExitTable(const std::vector<ExitEvaluation>& exits) {
  std::string table = "| exit | accuracy on the test images |\n|---|---:|\n";
  for (const ExitEvaluation& exit : exits) {
    absl::StrAppend(&table, "| `", exit.name, "` | ", Percent(exit.accuracy), " |\n");
  }
  return table;
}

std::string EpochTable(const std::vector<EpochRecord>& epochs) {
  std::string table = "| epoch | loss | accuracy of each exit | seconds |\n|---:|---:|---|---:|\n";
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const std::string accuracy =
        absl::StrJoin(epochs[i].accuracy, ", ",
                      [](std::string* out, double share) { out->append(Percent(share)); });
    absl::StrAppend(&table, "| ", i + 1, " | ", absl::StrFormat("%.4f", epochs[i].loss), " | ",
                    accuracy, " | ", absl::StrFormat("%.1f", epochs[i].seconds), " |\n");
  }
  return table;
}

}  // namespace

absl::StatusOr<std::string> ModelCard(const TrainOptions& options, const ImageSet& data,
                                      const TrainOutcome& outcome) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string model, ReadFile(options.out));
  double seconds = 0;
  for (const EpochRecord& epoch : outcome.epochs) seconds += epoch.seconds;
  const std::string file = std::filesystem::path(options.out).filename().string();
  return absl::StrCat(
      "# ", file, "\n\n", "Multi-branch AlexNet for pictures of 32x32, ", outcome.exits.size(),
      outcome.exits.size() == 1 ? " exit" : " exits",
      ", trained jointly by `cleave train alexnet`. Every output is the logits of one exit, in ",
      "order; `", kExitsKey, "` in the file's metadata names them.\n\n| | |\n|---|---|\n",
      "| file | ", model.size(), " bytes, SHA-256 `", Sha256Hex(model), "` |\n",
      "| input | `image`, batch x 3 x 32 x 32, prepared as `",
      std::filesystem::path(options.sidecar_path()).filename().string(), "` says |\n", "| data | ",
      data.train.size(), " training and ", data.test.size(), " test images in ",
      data.classes.size(), " classes, SHA-256 of the pixels `", data.digest, "` |\n", "| seed | ",
      options.seed, " |\n", "| epochs | ", outcome.epochs.size(), " of batch ", options.batch,
      " |\n", "| time | ", absl::StrFormat("%.0f", seconds), " s |\n\n", "## Accuracy\n\n",
      "Of the file itself, run by ONNX Runtime.\n\n", ExitTable(outcome.exits),
      "\n## What the last exit takes for what\n\n",
      ConfusionTable(data.classes, outcome.exits.back().confusion), "\n## Training\n\n",
      EpochTable(outcome.epochs));
}

}  // namespace cleave
