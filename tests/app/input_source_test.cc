#include "app/input_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file.h"
#include "support/odd_models.h"
#include "support/temp_dir.h"

namespace cleave::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InputSourceTest : public ::testing::Test {
 protected:
  std::string WriteNpy(const std::string& name, Shape shape, std::vector<float> values) const {
    const std::string path = folder_ + "/" + name;
    const Tensor tensor = *Tensor::FromFloats(std::move(shape), std::move(values));
    EXPECT_TRUE(WriteFileAtomically(path, *TensorToNpy(tensor)).ok());
    return path;
  }

  static std::string Error(const std::vector<TensorSpec>& inputs, const InputOptions& options) {
    const auto source = InputSource::Open(inputs, options);
    EXPECT_FALSE(source.ok());
    return std::string(source.status().message());
  }

  const std::vector<TensorSpec> pairs_ = {{"x", DataType::kFloat32, {-1, 2}}};
  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
};

TEST_F(InputSourceTest, BatchesCycleThroughTheRowsOfAllFiles) {
  WriteNpy("a.npy", {2, 2}, {1, 1, 2, 2});
  WriteNpy("b.npy", {2}, {3, 3});
  InputOptions options;
  options.sources = {folder_};
  options.batch = 2;
  const auto source = InputSource::Open(pairs_, options);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->batches(), 2);
  const auto values = [&] {
    const std::vector<NamedTensor> batch = *(*source)->Next();
    EXPECT_EQ(batch.front().name, "x");
    EXPECT_THAT(batch.front().tensor.shape(), ElementsAre(2, 2));
    const auto floats = batch.front().tensor.floats();
    return std::vector<float>(floats.begin(), floats.end());
  };
  EXPECT_THAT(values(), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(values(), ElementsAre(3, 3, 1, 1));
  EXPECT_THAT(values(), ElementsAre(2, 2, 3, 3));
}

TEST_F(InputSourceTest, RandomIsSeededAndFitsTheModel) {
  InputOptions options;
  options.batch = 3;
  const std::vector<TensorSpec> inputs = {{"x", DataType::kFloat32, {-1, 4}},
                                          {"n", DataType::kInt64, {2}}};
  const std::vector<NamedTensor> first = *(*InputSource::Open(inputs, options))->Next();
  const std::vector<NamedTensor> again = *(*InputSource::Open(inputs, options))->Next();
  EXPECT_THAT(first[0].tensor.shape(), ElementsAre(3, 4));
  EXPECT_EQ(first[0].tensor.bytes(), again[0].tensor.bytes());
  EXPECT_EQ(first[1].tensor.dtype(), DataType::kInt64);
  options.seed = 2;
  const std::vector<NamedTensor> other = *(*InputSource::Open(inputs, options))->Next();
  EXPECT_NE(first[0].tensor.bytes(), other[0].tensor.bytes());
}

TEST_F(InputSourceTest, StringsAreRowsAndBatchesToo) {
  const absl::string_view texts[] = {"red", "", "green", "large", "blue", "small"};
  const std::string path = folder_ + "/texts.npy";
  const Tensor tensor = Tensor::FromStrings({3, 2}, texts).value();
  ASSERT_TRUE(WriteFileAtomically(path, *TensorToNpy(tensor)).ok());
  InputOptions options;
  options.sources = {path};
  options.batch = 2;
  const auto source = InputSource::Open({{"x", DataType::kString, {-1, 2}}}, options);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_THAT((*source)->Next()->front().tensor.strings(),
              ElementsAre("red", "", "green", "large"));
  EXPECT_THAT((*source)->Next()->front().tensor.strings(), ElementsAre("blue", "small", "red", ""));
}

TEST_F(InputSourceTest, RandomStringsAreWordsThatTheModelKnows) {
  InputOptions options;
  options.batch = 20;
  options.model_path = temp_.Write("category.onnx", testing::CategoryModel().SerializeAsString());
  const auto source = InputSource::Open({{"x", DataType::kString, {-1, 2}}}, options);
  ASSERT_TRUE(source.ok()) << source.status();
  const std::vector<NamedTensor> batch = (*source)->Next().value();
  const std::vector<absl::string_view> words = batch.front().tensor.strings();
  ASSERT_EQ(words.size(), 40U);
  for (std::size_t i = 0; i < words.size(); i += 2) {
    EXPECT_THAT(words[i], ::testing::AnyOf("red", "green", "blue"));
    EXPECT_THAT(words[i + 1], ::testing::AnyOf("small", "large"));
  }
}

TEST_F(InputSourceTest, SeveralInputsComeByName) {
  const std::vector<TensorSpec> inputs = {{"a", DataType::kFloat32, {-1, 2}},
                                          {"b", DataType::kFloat32, {-1, 2}}};
  const std::string one = WriteNpy("one.npy", {1, 2}, {1, 2});
  const std::string two = WriteNpy("two.npy", {1, 2}, {3, 4});
  InputOptions options;
  options.sources = {"b=" + two, "a=" + one};
  const auto source = InputSource::Open(inputs, options);
  ASSERT_TRUE(source.ok()) << source.status();
  const std::vector<NamedTensor> batch = *(*source)->Next();
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(batch[0].name, "b");
  EXPECT_EQ(batch[0].tensor.floats()[0], 3);
  options.sources = {"a=" + one};
  EXPECT_THAT(Error(inputs, options), HasSubstr("nothing for input 'b'"));
  options.sources = {"a=" + one, "a=" + two};
  EXPECT_THAT(Error(inputs, options), HasSubstr("given twice"));
  options.sources = {one};
  EXPECT_THAT(Error(inputs, options), HasSubstr("a model with 2 inputs"));
}

TEST_F(InputSourceTest, NamedFilesTellTheShapes) {
  const std::string one = WriteNpy("one.npy", {1, 2}, {1, 2});
  const std::string two = WriteNpy("t=wo.npy", {3}, {3, 4, 5});
  EXPECT_EQ(ShapesOfNamedInputs({"a=b=" + one, "c=" + two, "d=none.npy", "random"}),
            (std::map<std::string, Shape>{{"a=b", {1, 2}}, {"c", {3}}}));
}

TEST_F(InputSourceTest, AFileTellsTheShapeOfTheOnlyInput) {
  onnx::ModelProto proto = testing::EmptyModel();
  testing::Describe("x", {-1, 3, -1, -1}, *proto.mutable_graph()->add_input());
  testing::Describe("y", {-1, 3, -1, -1}, *proto.mutable_graph()->add_output());
  testing::AddNode(*proto.mutable_graph(), "Relu", {"x"}, "y");
  const std::string model = folder_ + "/free.onnx";
  ASSERT_TRUE(WriteFileAtomically(model, proto.SerializeAsString()).ok());
  const std::string rows = WriteNpy("rows.npy", {5, 3, 2, 4}, std::vector<float>(120));
  const std::string item = WriteNpy("item.npy", {3, 2, 4}, std::vector<float>(24));
  const std::string flat = WriteNpy("flat.npy", {24}, std::vector<float>(24));
  const std::map<std::string, Shape> expected = {{"x", {2, 3, 2, 4}}};
  EXPECT_EQ(ShapeOfOnlyInput(model, {rows}, 2), expected);
  EXPECT_EQ(ShapeOfOnlyInput(model, {item, rows}, 2), expected);
  EXPECT_TRUE(ShapeOfOnlyInput(model, {flat}, 2).empty());
  EXPECT_TRUE(ShapeOfOnlyInput(model, {"random"}, 2).empty());
  EXPECT_TRUE(ShapeOfOnlyInput(folder_ + "/none.onnx", {rows}, 2).empty());
}

TEST_F(InputSourceTest, ABatchThatIsNotTheFirstDimensionIsNotSplit) {
  const std::string file = WriteNpy("x.npy", {3, 2}, {1, 2, 3, 4, 5, 6});
  InputOptions options;
  options.sources = {file};
  options.batch_axes = {1};
  const auto source = InputSource::Open({{"x", DataType::kFloat32, {-1, -1}}}, options);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->batches(), 1);
  EXPECT_THAT((*(*source)->Next())[0].tensor.shape(), ElementsAre(3, 2));
  options.batch = 2;
  EXPECT_THAT(Error({{"x", DataType::kFloat32, {-1, -1}}}, options), HasSubstr("batch: found 2"));
}

TEST_F(InputSourceTest, ErrorsNameTheSource) {
  InputOptions options;
  options.sources = {folder_ + "/none.npy"};
  EXPECT_THAT(Error(pairs_, options), HasSubstr("none.npy: no such file"));
  options.sources = {folder_};
  EXPECT_THAT(Error(pairs_, options), HasSubstr("found no input"));
  EXPECT_TRUE(WriteFileAtomically(folder_ + "/text.txt", "x").ok());
  options.sources = {folder_ + "/text.txt"};
  EXPECT_THAT(Error(pairs_, options), HasSubstr("unknown kind of file"));
  options.sources = {WriteNpy("cube.npy", {1, 2, 3, 4}, std::vector<float>(24))};
  EXPECT_THAT(Error(pairs_, options), HasSubstr("found shape 1x2x3x4"));
  EXPECT_TRUE(WriteFileAtomically(folder_ + "/bad.jpg", "not a picture").ok());
  options.sources = {folder_ + "/bad.jpg"};
  EXPECT_THAT(Error(pairs_, options), HasSubstr("images for an input of type FP32"));
  options.batch = 0;
  EXPECT_THAT(Error(pairs_, options), HasSubstr("batch: found 0"));
  options = InputOptions();
  EXPECT_THAT(Error({{"x", DataType::kFloat32, {-1, -1}}}, options), HasSubstr("NAME=FILE.npy"));
}

TEST_F(InputSourceTest, ABrokenImageIsAnErrorWhenItsTurnComes) {
  EXPECT_TRUE(WriteFileAtomically(folder_ + "/bad.jpg", "not a picture").ok());
  InputOptions options;
  options.sources = {folder_};
  const auto source = InputSource::Open({{"x", DataType::kFloat32, {-1, 3, 8, 8}}}, options);
  ASSERT_TRUE(source.ok()) << source.status();
  const auto batch = (*source)->Next();
  EXPECT_THAT(std::string(batch.status().message()), HasSubstr("bad.jpg"));
}

}  // namespace
}  // namespace cleave::app
