#include "app/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

namespace cleave::app {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NamedTensor Output(const std::string& name, Shape shape, std::vector<float> values) {
  return {name, Tensor::FromFloats(std::move(shape), std::move(values)).value()};
}

TEST(TopClassesTest, LogitsBecomeProbabilitiesAndProbabilitiesStay) {
  const std::vector<float> logits = {0, std::log(3.0F), std::log(6.0F)};
  const std::vector<ClassScore> top = TopClasses(logits, 2);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].index, 2U);
  EXPECT_NEAR(top[0].probability, 0.6, 1e-6);
  EXPECT_EQ(top[0].value, logits[2]);
  EXPECT_NEAR(top[1].probability, 0.3, 1e-6);

  const std::vector<float> probabilities = {0.1F, 0.2F, 0.7F};
  EXPECT_NEAR(TopClasses(probabilities, 1)[0].probability, 0.7, 1e-6);
}

TEST(TopClassesTest, EqualScoresComeInOrderAndWhatIsNoNumberComesLast) {
  const std::vector<float> scores = {std::numeric_limits<float>::quiet_NaN(), 2, 5, 5};
  const std::vector<ClassScore> top = TopClasses(scores, 9);
  ASSERT_EQ(top.size(), 4U);
  EXPECT_EQ(top[0].index, 2U);
  EXPECT_EQ(top[1].index, 3U);
  EXPECT_EQ(top[3].index, 0U);
  EXPECT_THAT(TopClasses({}, 3), IsEmpty());
}

TEST(TopClassesTest, LargeLogitsDoNotOverflow) {
  const std::vector<float> logits = {1e30F, -1e30F};
  EXPECT_EQ(TopClasses(logits, 1)[0].probability, 1);
}

TEST(AnswerLinesTest, NameTheClassesOfEachPicture) {
  const std::vector<NamedTensor> outputs = {
      Output("scores", {2, 3}, {0.05F, 0.9F, 0.05F, 1, 0, 0})};
  EXPECT_THAT(AnswerLines(outputs, {"a.jpg", "b.jpg"}, {"cat", "dog", "frog"}),
              ElementsAre("a.jpg: dog 90.0%, cat 5.0%, frog 5.0%", "b.jpg: cat 100.0%"));
  EXPECT_THAT(
      AnswerLines(outputs, {"a.jpg", "b.jpg"}, {}),
      ElementsAre("a.jpg: class 1 90.0%, class 0 5.0%, class 2 5.0%", "b.jpg: class 0 100.0%"));
}

TEST(AnswerLinesTest, ShowStringsBeforeScores) {
  const absl::string_view labels[] = {"iris", "r\xFFse"};
  const absl::string_view words[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  const std::vector<NamedTensor> outputs = {{"label", Tensor::FromStrings({2}, labels).value()},
                                            Output("scores", {2, 2}, {0.25F, 0.75F, 1, 0}),
                                            {"words", Tensor::FromStrings({2, 4}, words).value()},
                                            {"other", Tensor::FromStrings({8}, words).value()}};
  EXPECT_THAT(AnswerLines(outputs, {"a", "b"}, {}),
              ElementsAre("a: 'iris'; 'a' 'b' 'c' ...; class 1 75.0%, class 0 25.0%",
                          "b: 'r\\xffse'; 'e' 'f' 'g' ...; class 0 100.0%"));
  EXPECT_THAT(AnswerLines({outputs[0]}, {"a", "b"}, {}), ElementsAre("a: 'iris'", "b: 'r\\xffse'"));
  EXPECT_THAT(AnswerLines({outputs[0]}, {"a"}, {}), IsEmpty());
}

TEST(AnswerLinesTest, TakeTheOutputThatTheLabelsFit) {
  const std::vector<NamedTensor> outputs = {Output("boxes", {1, 4}, {1, 2, 3, 4}),
                                            Output("scores", {1, 2}, {0.25F, 0.75F})};
  EXPECT_THAT(AnswerLines(outputs, {"a.jpg"}, {"cat", "dog"}),
              ElementsAre("a.jpg: dog 75.0%, cat 25.0%"));
}

TEST(AnswerLinesTest, WhatIsNoClassificationHasNoAnswer) {
  EXPECT_THAT(AnswerLines({Output("mask", {1, 2, 2}, {1, 2, 3, 4})}, {"a.jpg"}, {}), IsEmpty());
  EXPECT_THAT(AnswerLines({Output("risk", {1, 1}, {0.5F})}, {"a.jpg"}, {}), IsEmpty());
  EXPECT_THAT(AnswerLines({Output("scores", {1, 2}, {0, 1})}, {}, {}), IsEmpty());
}

TEST(AnswerLinesTest, NamesCannotWriteToTheTerminal) {
  const auto lines =
      AnswerLines({Output("scores", {1, 2}, {0, 1})}, {"a\x1b[2J.jpg"}, {"c\nat", "d"});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].find('\x1b'), std::string::npos);
  EXPECT_EQ(lines[0].find('\n'), std::string::npos);
}

TEST(CheckLabelsFitTest, SaysHowManyClassesThereAre) {
  const std::vector<NamedTensor> outputs = {Output("scores", {1, 3}, {0, 1, 2})};
  EXPECT_TRUE(CheckLabelsFit(outputs, {}, "none").ok());
  EXPECT_TRUE(CheckLabelsFit(outputs, {"a", "b", "c"}, "names.txt").ok());
  EXPECT_THAT(std::string(CheckLabelsFit(outputs, {"a", "b"}, "names.txt").message()),
              AllOf(HasSubstr("names.txt"), HasSubstr("2 classes"), HasSubstr("expected 3"),
                    HasSubstr("scores")));
}

}  // namespace
}  // namespace cleave::app
