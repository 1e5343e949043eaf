#include "core/named_tensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/shuffle.h"

namespace cleave {
namespace {

NamedTensor Scalar(const char* name, float value) {
  return {name, *Tensor::FromFloats({1}, {value})};
}

TEST(NamedTensorsTest, AddsOnlyTheNamesThatAreMissing) {
  std::vector<NamedTensor> to = {Scalar("a", 1), Scalar("b", 2)};
  AddMissing({Scalar("b", 7), Scalar("c", 3), Scalar("c", 4)}, to);
  ASSERT_EQ(to.size(), 3U);
  EXPECT_EQ(FindTensor(to, "b")->floats()[0], 2);
  EXPECT_EQ(FindTensor(to, "c")->floats()[0], 3);
  EXPECT_EQ(FindTensor(to, "d"), nullptr);
}

TEST(ShuffleTest, IsTheSameForTheSameSeedAndKeepsAllValues) {
  std::vector<int> values = {1, 2, 3, 4, 5, 6, 7};
  std::mt19937_64 random(5);
  Shuffle(values, random);
  std::vector<int> again = {1, 2, 3, 4, 5, 6, 7};
  std::mt19937_64 same(5);
  Shuffle(again, same);
  EXPECT_EQ(values, again);
  std::sort(again.begin(), again.end());
  EXPECT_EQ(again, (std::vector<int>{1, 2, 3, 4, 5, 6, 7}));
}

}  // namespace
}  // namespace cleave
