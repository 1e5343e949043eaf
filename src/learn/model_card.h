#ifndef CLEAVE_LEARN_MODEL_CARD_H_
#define CLEAVE_LEARN_MODEL_CARD_H_

#include <string>

#include "absl/status/statusor.h"
#include "codec/cifar10.h"
#include "learn/train_exits.h"

namespace cleave {

// Returns the page that goes with a trained model (markdown): file and digest, data, seed, epochs,
// time, accuracy of each exit, and what the last exit takes for what. REQUIRES: `outcome.exits` is
// not empty and options.out is the file that it tells of.
absl::StatusOr<std::string> ModelCard(const TrainOptions& options, const ImageSet& data,
                                      const TrainOutcome& outcome);

}  // namespace cleave

#endif  // CLEAVE_LEARN_MODEL_CARD_H_
