#include "learn/exits_card.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "core/text_table.h"
#include "learn/card_tables.h"
#include "model/attach_exits.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

std::string NameOf(const std::string& path) { return fs::path(path).filename().string(); }

std::string SampleShape(const TensorSpec& tensor) {
  return tensor.shape.size() < 2 ? "1"
                                 : ShapeString(Shape(tensor.shape.begin() + 1, tensor.shape.end()));
}

}  // namespace

std::string ExitsTable(const FitExitsOutcome& outcome) {
  TextTable table({{"exit", TextTable::Align::kLeft},
                   {"cut"},
                   {"tensor", TextTable::Align::kLeft},
                   {"of a picture", TextTable::Align::kLeft},
                   {"parameters trained"},
                   {"right in training"},
                   {"right in test"}});
  for (const FittedExit& exit : outcome.exits) {
    table.Add({absl::StrCat("`", exit.evaluation.name, "`"),
               exit.cut ? absl::StrCat(*exit.cut) : "", absl::StrCat("`", exit.tensor.name, "`"),
               SampleShape(exit.tensor), absl::StrCat(exit.parameters),
               exit.training_accuracy ? Percent(*exit.training_accuracy) : "",
               exit.has_accuracy() ? Percent(exit.evaluation.accuracy) : "other classes"});
  }
  return table.Markdown();
}

absl::StatusOr<std::string> ExitsCard(const FitExitsOptions& options,
                                      const FitExitsOutcome& outcome) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string model, ReadFile(options.out));
  const FittedExit& deepest = outcome.exits[outcome.exits.size() - 2];
  double worst = 0;
  for (const FittedExit& exit : outcome.exits) worst = std::max(worst, exit.worst_error);
  TextTable facts = FactsTable();
  facts.Add({"file", absl::StrCat(model.size(), " bytes, SHA-256 `", Sha256Hex(model), "`")});
  facts.Add({"made of", absl::StrCat("SHA-256 `", outcome.backbone_digest, "`")});
  facts.Add({"input", absl::StrCat("prepared as `", NameOf(options.sidecar_path()), "` says")});
  facts.Add({"data", absl::StrCat(outcome.train_pictures, " training and ", outcome.test_pictures,
                                  " test images in ", outcome.classes.size(), " classes, SHA-256 `",
                                  outcome.data_digest, "`")});
  facts.Add({"seed", absl::StrCat(options.limits.seed, ", of the choice of images")});
  facts.Add({"weight decay", absl::StrCat(options.weight_decay)});
  facts.Add({"time", absl::StrFormat("%.0f s", outcome.seconds)});
  return absl::StrCat(
      "# ", NameOf(options.out), "\n\n`", NameOf(options.model), "` with ",
      outcome.exits.size() - 1, outcome.exits.size() == 2 ? " early exit" : " early exits",
      ", added by `cleave exits`: the mean of a tensor of the network over its places, and a fully "
      "connected layer. Only these layers were trained. Every output that `",
      kExitsKey, "` in the file's metadata names is the logits of one exit, in order.\n\n",
      facts.Markdown(), "\n## Exits\n\n",
      "Accuracy is that of the file itself, run by ONNX Runtime.\n\n", ExitsTable(outcome),
      "\nOver the test images the outputs that the network had before are the same, bit for bit, "
      "and the new ones differ by ",
      absl::StrFormat("%.1e", worst), " at most from what the trained layers make of the features.",
      "\n\n## What `", deepest.evaluation.name, "` takes for what\n\n",
      ConfusionTable(outcome.classes, deepest.evaluation.confusion));
}

}  // namespace cleave
