#include "runtime/small_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/tiny_models.h"

namespace cleave {
namespace {

using testing::AddNode;
using testing::Describe;
using ::testing::ElementsAre;
using testing::EmptyModel;
using ::testing::HasSubstr;

// Returns a model of difference = a - b with b = [1, 3].
std::string DifferenceModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("b", {1, 3}, *graph.add_input());
  Describe("a", {1, 3}, *graph.add_input());
  Describe("difference", {1, 3}, *graph.add_output());
  AddNode(graph, "Sub", {"a", "b"}, "difference");
  return model.SerializeAsString();
}

TensorSpec Row(const std::string& name) { return {name, DataType::kFloat32, {1, 3}}; }

std::unique_ptr<SmallModel> Make() {
  auto model =
      SmallModel::Create(DifferenceModel(), "m.onnx", {Row("a"), Row("b")}, {Row("difference")});
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

void Fill(std::span<float> out, float first) {
  for (float& value : out) value = first++;
}

TEST(SmallModelTest, RunsOnItsLaneAgainAndAgain) {
  const auto model = Make();
  const auto lane = model->NewLane();
  ASSERT_TRUE(lane.ok()) << lane.status();
  Fill((*lane)->input(0), 10);
  Fill((*lane)->input(1), 1);
  ASSERT_TRUE((*lane)->Run().ok());
  EXPECT_THAT((*lane)->output(0), ElementsAre(9, 9, 9));
  Fill((*lane)->input(1), 2);
  ASSERT_TRUE((*lane)->Run().ok());
  EXPECT_THAT((*lane)->output(0), ElementsAre(8, 8, 8));
}

TEST(SmallModelTest, LanesDoNotMeet) {
  const auto model = Make();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto lane = model->NewLane();
      if (!lane.ok()) {
        ++wrong;
        return;
      }
      for (int round = 0; round < 200; ++round) {
        Fill((*lane)->input(0), static_cast<float>(round));
        Fill((*lane)->input(1), static_cast<float>(t));
        wrong += !(*lane)->Run().ok() || (*lane)->output(0)[2] != static_cast<float>(round - t);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SmallModelTest, PortsAreChecked) {
  const auto expect_refused = [](std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
                                 const std::string& text) {
    const auto model =
        SmallModel::Create(DifferenceModel(), "m.onnx", std::move(inputs), std::move(outputs));
    ASSERT_FALSE(model.ok()) << text;
    EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(model.status().message()), HasSubstr(text));
  };
  expect_refused({Row("a"), Row("c")}, {Row("difference")}, "m.onnx: input 'c': found none");
  expect_refused({Row("a")}, {Row("difference")}, "inputs: found 2, expected 1");
  expect_refused({Row("a"), Row("b")}, {}, "outputs: found 1, expected 0");
  expect_refused({Row("a"), {"b", DataType::kFloat32, {1, 4}}}, {Row("difference")},
                 "input 'b': found shape");
}

TEST(SmallModelTest, WhatOnnxRuntimeRefusesIsAnError) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(DifferenceModel()));
  model.mutable_graph()->mutable_node(0)->set_input(1, "missing");
  const auto refused = SmallModel::Create(model.SerializeAsString(), "m.onnx", {Row("a"), Row("b")},
                                          {Row("difference")});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("m.onnx"));
}

}  // namespace
}  // namespace cleave
