#include "detect/model_head.h"

#include <utility>

#include "core/status_macros.h"
#include "detect/guess_head.h"

namespace cleave {

std::optional<DetectionHead> UnmistakableHead(const std::vector<TensorSpec>& outputs,
                                              ImageSize input) {
  std::optional<GuessedHead> guess = GuessHead(outputs, input);
  if (!guess || guess->certainty != GuessedHead::Certainty::kUnmistakable) return std::nullopt;
  return std::move(guess->head);
}

absl::StatusOr<std::optional<DetectionHead>> FindHead(const std::string& model_path,
                                                      const std::vector<TensorSpec>& outputs,
                                                      std::optional<ImageSize> input) {
  CLEAVE_ASSIGN_OR_RETURN(std::optional<DetectionHead> said, DetectionHead::OfModel(model_path));
  if (said && said->kind == DetectionHead::Kind::kNone) return std::nullopt;
  if (said || !input) return said;
  return UnmistakableHead(outputs, *input);
}

}  // namespace cleave
