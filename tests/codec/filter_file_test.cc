#include "codec/filter_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_replace.h"
#include "core/file.h"
#include "support/temp_dir.h"
#include "support/tiny_filter.h"

namespace cleave {
namespace {

using testing::FilterAbout;
using ::testing::HasSubstr;
using testing::LevelFilter;

std::string Bytes(char digit = 'a') {
  return FilterFile::Write(FilterAbout(std::string(64, digit), 11, {"relu"}), LevelFilter(3, 0.5F));
}

std::string Error(absl::string_view bytes) {
  const auto file = FilterFile::Read(bytes, "f");
  return file.ok() ? "" : std::string(file.status().message());
}

TEST(FilterFileTest, ComesBackAsItWasWritten) {
  const auto file = FilterFile::Read(Bytes(), "f");
  ASSERT_TRUE(file.ok()) << file.status();
  const FilterFile::About& about = (*file)->about();
  EXPECT_EQ(about.fitted.samples, 200);
  EXPECT_EQ(about.cut, 11);
  EXPECT_EQ(about.tensors, std::vector<std::string>{"relu"});
  EXPECT_EQ(about.score_threshold, 0.4);
  EXPECT_EQ(about.threshold.logit, 1e-9);
  EXPECT_EQ(about.threshold.occupied, 120);
  EXPECT_EQ(about.threshold.lost, 1);
  EXPECT_EQ(about.threshold.empty, 80);
  EXPECT_EQ(about.threshold.spared, 60);
  const NeuralFilterParameters& parameters = (*file)->filter().parameters();
  EXPECT_EQ(parameters.unit_weight, LevelFilter(3, 0.5F).unit_weight);
  EXPECT_EQ(parameters.unit_bias, LevelFilter(3, 0.5F).unit_bias);
  EXPECT_EQ(FilterFile::Write(about, parameters), Bytes());
}

TEST(FilterFileTest, AFilterWithoutUnitsIsOne) {
  NeuralFilterParameters plain;
  plain.channels = {2, 1};
  plain.direct_weight = {1, 2, 3, 4, 5, 6};
  plain.bias = -1;
  const auto file = FilterFile::Read(
      FilterFile::Write(FilterAbout(std::string(64, 'a'), 1, {"a", "b"}), plain), "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->filter().parameters().direct_weight, plain.direct_weight);
}

TEST(FilterFileTest, IsReadBesideItsModelOrWhereItIsSaid) {
  const testing::TempDir temp;
  const std::string model = temp.path() + "/net.onnx";
  const std::string digest(64, 'a');
  EXPECT_EQ(FilterFile::Load("", model, digest).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(temp.path() + "/net.filter", Bytes()).ok());
  EXPECT_TRUE(FilterFile::Load("", model, digest).ok());
  EXPECT_TRUE(FilterFile::Load(temp.path() + "/net.filter", "other.onnx", digest).ok());
  const absl::Status other = FilterFile::Load("", model, std::string(64, 'c')).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr("cleave filter fit"));
}

TEST(FilterFileTest, RefusesWhatIsNoFilterFile) {
  const std::string good = Bytes();
  const auto with = [&](absl::string_view from, absl::string_view to) {
    std::string text = absl::StrReplaceAll(good, {{from, to}});
    EXPECT_NE(text, good) << from;
    return text;
  };
  EXPECT_EQ(Error(good), "");
  EXPECT_THAT(Error(""), HasSubstr("f: found 0 bytes"));
  EXPECT_THAT(Error(with("cleave-filter-1", "cleave-filter-9")), HasSubstr("'cleave-filter-9'"));
  EXPECT_THAT(Error(with("\\\"cut\\\":11", "\\\"cut\\\":-1")), HasSubstr("cut: found -1"));
  EXPECT_THAT(Error(with("\\\"cut\\\":11", "\\\"cuT\\\":11")), HasSubstr("cut"));
  EXPECT_THAT(Error(with("\\\"side\\\":1", "\\\"side\\\":0")), HasSubstr("side: found 0"));
  EXPECT_THAT(Error(with("\\\"units\\\":3", "\\\"units\\\":4")),
              HasSubstr("unit_weight: found FP32 3x6, expected FP32 4x6"));
  EXPECT_THAT(Error(with("\\\"channels\\\":3", "\\\"channels\\\":0")), HasSubstr("channels"));
  EXPECT_THAT(Error(with("\\\"score_threshold\\\":0.4", "\\\"score_threshold\\\":1.4")),
              HasSubstr("score_threshold: found 1.4"));
  EXPECT_THAT(Error(with("\\\"empty\\\":80", "\\\"empty\\\":10")),
              HasSubstr("spared: found 60, expected 0 to 10"));
  EXPECT_THAT(Error(with("\\\"spared\\\":60", "\\\"spared\\\":-6")), HasSubstr("spared: found -6"));
  EXPECT_THAT(Error(with("\"bias\":{", "\"biaS\":{")), HasSubstr("bias: found none"));
}

// Whatever is changed in the file, it is refused or makes a filter that works.
TEST(FilterFileTest, TakesOrRefusesAnyChange) {
  const std::string good = Bytes();
  std::mt19937 random(7);
  int taken = 0;
  for (int round = 0; round < 600; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 2; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto file = FilterFile::Read(bytes, "f");
    if (!file.ok()) continue;
    ++taken;
    const NeuralFilter& filter = (*file)->filter();
    const Tensor zeros =
        *Tensor::Zeros(DataType::kFloat32, {2, filter.parameters().channels.front(), 3, 2});
    EXPECT_TRUE(filter.Logits({&zeros}).ok());
  }
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace cleave
