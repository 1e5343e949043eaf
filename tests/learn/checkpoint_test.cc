#include "learn/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "core/sha256.h"

namespace cleave {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kMagic = "cleave-checkpoint 1\n";

Checkpoint Example() {
  Checkpoint checkpoint;
  checkpoint.settings = {{"epochs", "3"}, {"seed", "1"}};
  checkpoint.epochs = {{1.25, {0.5, 0.75}, 10}, {0.1, {0.6, 0.8}, 11.5}};
  checkpoint.numbers = {{"exact", {0.1, 1e300, -3}}, {"none", {}}};
  checkpoint.tensors["a"] = *Tensor::FromFloats({2, 1}, {1, -2});
  checkpoint.tensors["b"] = *Tensor::FromFloats({3}, {0.1F, 1e-30F, 5});
  return checkpoint;
}

// A file with a digest that fits, whatever it says.
std::string Signed(const std::string& header, const std::string& body) {
  std::string bytes = kMagic;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xFF));
  bytes += header + body;
  return bytes + Sha256Hex(bytes);
}

std::string FaultOf(const std::string& bytes) {
  const auto parsed = Checkpoint::Parse(bytes, "c.checkpoint");
  EXPECT_FALSE(parsed.ok());
  return std::string(parsed.status().message());
}

// What is said of the example's header once `change` has been at it.
std::string FaultAfter(const std::function<void(Json&)>& change) {
  Json header = {{"settings", Json::object()},
                 {"epochs", Json::array()},
                 {"tensors", {{{"name", "a"}, {"shape", {2}}}}}};
  change(header);
  return FaultOf(Signed(header.dump(), std::string(8, '\0')));
}

TEST(CheckpointTest, ComesBackAsItWas) {
  const Checkpoint before = Example();
  const auto bytes = before.Serialize();
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto after = Checkpoint::Parse(*bytes, "c.checkpoint");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->settings, before.settings);
  EXPECT_EQ(after->numbers, before.numbers);
  ASSERT_EQ(after->epochs.size(), 2U);
  EXPECT_EQ(after->epochs[1].loss, 0.1);
  EXPECT_EQ(after->epochs[1].seconds, 11.5);
  EXPECT_THAT(after->epochs[1].accuracy, ElementsAre(0.6, 0.8));
  ASSERT_EQ(after->tensors.size(), 2U);
  for (const auto& [name, tensor] : before.tensors) {
    EXPECT_EQ(after->tensors.at(name).shape(), tensor.shape());
    EXPECT_EQ(after->tensors.at(name).bytes(), tensor.bytes());
  }
  EXPECT_EQ(*after->Serialize(), *bytes);
}

TEST(CheckpointTest, EveryCutAndEveryFlippedByteIsRefused) {
  const std::string bytes = *Example().Serialize();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(Checkpoint::Parse(bytes.substr(0, i), "c").ok()) << i;
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x20);
    EXPECT_FALSE(Checkpoint::Parse(flipped, "c").ok()) << i;
  }
  EXPECT_FALSE(Checkpoint::Parse(bytes + "x", "c").ok());
}

TEST(CheckpointTest, AForgedHeaderIsRefused) {
  EXPECT_THAT(FaultOf("no checkpoint"),
              AllOf(HasSubstr("c.checkpoint"), HasSubstr("no checkpoint")));
  EXPECT_THAT(FaultOf(Signed("no json", "")), HasSubstr("header"));
  EXPECT_THAT(FaultOf(Signed("[]", "")), HasSubstr("header"));
  EXPECT_THAT(FaultOf(Signed("{\"settings\": {}}", "")), HasSubstr("header"));
  std::string long_header = kMagic + std::string(8, '\xFF') + "{}";
  EXPECT_THAT(FaultOf(long_header + Sha256Hex(long_header)), HasSubstr("length"));
  EXPECT_THAT(FaultAfter([](Json& header) { header["settings"]["seed"] = 1; }), HasSubstr("seed"));
  EXPECT_THAT(FaultAfter([](Json& header) { header["epochs"] = {1}; }), HasSubstr("epochs"));
  EXPECT_THAT(FaultAfter([](Json& header) {
                header["epochs"] = {{{"loss", 1}, {"seconds", 1}, {"accuracy", {"x"}}}};
              }),
              HasSubstr("accuracy"));
  EXPECT_THAT(FaultAfter([](Json& header) { header["numbers"] = 7; }), HasSubstr("numbers"));
  EXPECT_THAT(FaultAfter([](Json& header) { header["numbers"]["a"] = 7; }), HasSubstr("numbers.a"));
  EXPECT_THAT(FaultAfter([](Json& header) { header["numbers"]["a"] = {"x"}; }),
              HasSubstr("numbers.a"));
  EXPECT_THAT(FaultAfter([](Json& header) { header["tensors"] = {7}; }), HasSubstr("tensors"));
  for (const Json& shape : {Json{-2}, Json{1.5}, Json{std::uint64_t{1} << 40}}) {
    EXPECT_THAT(FaultAfter([&](Json& header) { header["tensors"][0]["shape"] = shape; }),
                HasSubstr("'a'"));
  }
  EXPECT_THAT(FaultAfter([](Json& header) {
                header["tensors"][0]["shape"] = {1 << 30, 1 << 30, 1 << 30};
              }),
              HasSubstr("'a'"));
  EXPECT_THAT(FaultAfter([](Json& header) { header["tensors"][0]["shape"] = {3}; }),
              AllOf(HasSubstr("found 8 bytes"), HasSubstr("3 numbers")));
  EXPECT_THAT(FaultAfter([](Json& header) { header["tensors"][0]["shape"] = {1}; }),
              HasSubstr("4 bytes after the last tensor"));
  EXPECT_THAT(
      FaultAfter([](Json& header) {
        header["tensors"] = {{{"name", "a"}, {"shape", {1}}}, {{"name", "a"}, {"shape", {1}}}};
      }),
      HasSubstr("twice"));
}

TEST(CheckpointTest, TheSettingThatDiffersIsNamed) {
  const Checkpoint checkpoint = Example();
  EXPECT_TRUE(checkpoint.CheckSettings({{"epochs", "3"}}, "c").ok());
  EXPECT_THAT(std::string(checkpoint.CheckSettings({{"epochs", "4"}}, "c").message()),
              AllOf(HasSubstr("epochs: found 3"), HasSubstr("expected 4")));
  EXPECT_THAT(std::string(checkpoint.CheckSettings({{"batch", "4"}}, "c").message()),
              HasSubstr("batch: found none"));
}

}  // namespace
}  // namespace cleave
