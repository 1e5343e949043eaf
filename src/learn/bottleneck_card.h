#ifndef CLEAVE_LEARN_BOTTLENECK_CARD_H_
#define CLEAVE_LEARN_BOTTLENECK_CARD_H_

#include <string>

#include "learn/train_bottleneck.h"

namespace cleave {

// Returns the page that goes with a trained bottleneck (markdown): the model, the tensor, what
// encoder and decoder cost, data, seed, steps, and what it brought at every record.
std::string BottleneckCard(const BottleneckOptions& options, const BottleneckOutcome& outcome);

}  // namespace cleave

#endif  // CLEAVE_LEARN_BOTTLENECK_CARD_H_
