#ifndef CLEAVE_TESTS_SUPPORT_BRANCHY_MODEL_H_
#define CLEAVE_TESTS_SUPPORT_BRANCHY_MODEL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/graph_writer.h"

namespace cleave::testing {

// Writes operators with random weights.
class BranchyWriter {
 public:
  std::string Conv(const std::string& name, const std::string& input, std::int64_t channels) {
    const auto inputs = static_cast<std::size_t>(writer_.ShapeOf(input).at(0));
    const std::vector<float> weights = Weights(static_cast<std::size_t>(channels) * inputs * 9);
    return writer_.Conv(name, input, channels, 3, 1, 1,
                        {weights, Weights(static_cast<std::size_t>(channels))});
  }

  // Writes an exit with the logits of 4 classes.
  void Exit(const std::string& name, const std::string& input) {
    const std::string flat =
        writer_.Flatten(name + "_flat", writer_.GlobalAveragePool(name + "_mean", input));
    const auto features = static_cast<std::size_t>(writer_.ShapeOf(flat).at(0));
    const std::vector<float> weights = Weights(4 * features);
    writer_.Output(writer_.Gemm(name, flat, 4, {weights, Weights(4)}));
  }

  GraphWriter& writer() { return writer_; }

 private:
  std::vector<float> Weights(std::size_t count) {
    std::vector<float> weights(count);
    for (float& weight : weights) weight = static_cast<float>((drawn_ += 7919) % 23 - 11) / 32;
    return weights;
  }

  GraphWriter writer_{"branchy"};
  int drawn_ = 0;
};

// x [N,2,8,8] -> conv1 -> relu1 -> pool1 -> conv2 -> relu2 -> pool2 -> conv3 -> relu3 -> exit3,
// with branches pool1 -> b1_conv -> b1_relu -> exit1 and relu2 -> b2_conv -> exit2. `exits` is the
// metadata entry.
inline std::string BranchyModel(absl::string_view exits = "exit1,exit2,exit3") {
  BranchyWriter to;
  GraphWriter& writer = to.writer();
  const std::string conv1 = to.Conv("conv1", writer.Input("x", {2, 8, 8}), 6);
  const std::string pool1 = writer.MaxPool("pool1", writer.Relu("relu1", conv1), 2, 2);
  to.Exit("exit1", writer.Relu("b1_relu", to.Conv("b1_conv", pool1, 3)));
  const std::string relu2 = writer.Relu("relu2", to.Conv("conv2", pool1, 5));
  to.Exit("exit2", to.Conv("b2_conv", relu2, 3));
  const std::string conv3 = to.Conv("conv3", writer.MaxPool("pool2", relu2, 2, 2), 8);
  to.Exit("exit3", writer.Relu("relu3", conv3));
  writer.Metadata("cleave.exits", exits);
  const auto bytes = writer.Serialize();
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return *bytes;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_BRANCHY_MODEL_H_
