#ifndef CLEAVE_TESTS_SUPPORT_TINY_FILTER_H_
#define CLEAVE_TESTS_SUPPORT_TINY_FILTER_H_

#include <string>
#include <vector>

#include "codec/filter_file.h"

namespace cleave::testing {

// A filter that holds back pictures in which no element of one tensor of `channels` channels is
// above `level`.
inline NeuralFilterParameters LevelFilter(int channels, float level) {
  NeuralFilterParameters parameters;
  parameters.channels = {channels};
  parameters.side = 1;
  parameters.units = channels;
  const auto count = static_cast<std::size_t>(channels);
  parameters.unit_weight.assign(count * 2 * count, 0);
  for (std::size_t i = 0; i < count; ++i) parameters.unit_weight[i * 2 * count + i] = 1;
  parameters.unit_bias.assign(count, -level);
  parameters.output_weight.assign(count, 1);
  parameters.direct_weight.assign(2 * count, 0);
  parameters.bias = 0;
  return parameters;
}

inline FilterFile::About FilterAbout(const std::string& model_digest, int cut,
                                     const std::vector<std::string>& tensors) {
  FilterFile::About about;
  about.fitted = {model_digest, std::string(64, 'd'), 200};
  about.cut = cut;
  about.tensors = tensors;
  about.score_threshold = 0.4;
  // LevelFilter's logit is 0 for what it holds back, and above 0 for all else.
  about.threshold = {.logit = 1e-9, .occupied = 120, .lost = 1, .empty = 80, .spared = 60};
  return about;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_TINY_FILTER_H_
