#include "codec/class_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Message(const absl::StatusOr<ClassLabels>& labels) {
  return std::string(labels.status().message());
}

TEST(ClassLabelsTest, StandInTheSidecar) {
  const auto labels = ClassLabelsFromJson(R"({"labels": ["cat", "dog"], "other": 1})", "s.json");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre("cat", "dog"));
  const auto none = ClassLabelsFromJson(R"({"preprocessing": {}})", "s.json");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(*none, IsEmpty());
}

TEST(ClassLabelsTest, WhatIsNoListOfNamesIsRefusedByField) {
  EXPECT_THAT(Message(ClassLabelsFromJson("[1]", "s.json")), HasSubstr("s.json"));
  EXPECT_THAT(Message(ClassLabelsFromJson(R"({"labels": {"0": "cat"}})", "s.json")),
              AllOf(HasSubstr("s.json: labels"), HasSubstr("found object"), HasSubstr("a list")));
  EXPECT_THAT(Message(ClassLabelsFromJson(R"({"labels": ["cat", 7]})", "s.json")),
              AllOf(HasSubstr("labels[1]"), HasSubstr("number")));
  const std::string much = "{\"labels\": [\"" + std::string(257, 'x') + "\"]}";
  EXPECT_THAT(Message(ClassLabelsFromJson(much, "s.json")),
              AllOf(HasSubstr("labels[0]"), HasSubstr("257 bytes")));
}

TEST(ClassLabelsTest, GoIntoASidecarBesideWhatItHas) {
  const std::string text = WithClassLabels("{\"preprocessing\": {}}\n", {"cat", "\"big\" dog"});
  EXPECT_EQ(text, "{\"labels\": [\"cat\",\"\\\"big\\\" dog\"],\n \"preprocessing\": {}}\n");
  const auto labels = ClassLabelsFromJson(text, "s.json");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre("cat", "\"big\" dog"));
}

TEST(ClassLabelsTest, AFileHasOneNameALine) {
  const std::string path = ::testing::TempDir() + "/class_labels.txt";
  ASSERT_TRUE(WriteFileAtomically(path, "cat\r\nbig dog\n\n").ok());
  const auto labels = ReadClassLabels(path);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre("cat", "big dog"));
  ASSERT_TRUE(WriteFileAtomically(path, "\n").ok());
  EXPECT_THAT(Message(ReadClassLabels(path)), AllOf(HasSubstr(path), HasSubstr("no names")));
  ASSERT_TRUE(WriteFileAtomically(path, "a\n" + std::string(300, 'b')).ok());
  EXPECT_THAT(Message(ReadClassLabels(path)), AllOf(HasSubstr(path + ":2"), HasSubstr("300")));
  EXPECT_THAT(Message(ReadClassLabels(path + ".none")), HasSubstr(path + ".none"));
}

TEST(ClassLabelsTest, AModelWithoutASidecarHasNone) {
  const auto labels = ClassLabelsOfModel(::testing::TempDir() + "/no_such_model.onnx");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, IsEmpty());
}

TEST(ClassLabelsTest, TheShippedModelNamesItsClasses) {
  const auto labels = ClassLabelsOfModel(CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre("airplane", "automobile", "bird", "cat", "deer", "dog", "frog",
                                   "horse", "ship", "truck"));
}

}  // namespace
}  // namespace cleave
