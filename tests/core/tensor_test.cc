#include "cleave/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace cleave {
namespace {

using testing::HasSubstr;

TEST(DataTypeTest, NamesParseBackToTheType) {
  for (int i = 0; i <= static_cast<int>(DataType::kString); ++i) {
    const auto dtype = static_cast<DataType>(i);
    EXPECT_EQ(ParseDataType(DataTypeName(dtype)), dtype);
  }
  EXPECT_EQ(ParseDataType("BYTES"), DataType::kString);
  EXPECT_FALSE(ParseDataType("STRING"));
  EXPECT_FALSE(ParseDataType("fp32"));
  EXPECT_FALSE(ParseDataType(""));
}

TEST(DataTypeTest, KnowsNamesAndSizes) {
  EXPECT_EQ(DataTypeName(DataType::kBFloat16), "BF16");
  EXPECT_EQ(ElementSize(DataType::kBFloat16), 2U);
  EXPECT_EQ(DataTypeName(DataType::kUint64), "UINT64");
  EXPECT_EQ(ElementSize(DataType::kUint64), 8U);
  EXPECT_EQ(DataTypeName(DataType::kBool), "BOOL");
  EXPECT_EQ(ElementSize(DataType::kBool), 1U);
}

TEST(ElementCountTest, MultipliesTheDimensions) {
  EXPECT_EQ(ElementCount({}).value(), 1);
  EXPECT_EQ(ElementCount({1, 3, 224, 224}).value(), 150'528);
  EXPECT_EQ(ElementCount({5, 0, 7}).value(), 0);
}

TEST(ElementCountTest, RefusesNegativeAndHugeShapes) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(std::string(ElementCount({2, -1}).status().message()), HasSubstr("2x?"));
  EXPECT_FALSE(ElementCount({kMost}).ok());
  EXPECT_FALSE(ElementCount({std::int64_t{1} << 32, std::int64_t{1} << 32}).ok());
  EXPECT_FALSE(ElementCount({kMost, kMost, 0}).ok());
  EXPECT_FALSE(ElementCount({0, -5}).ok());
  EXPECT_FALSE(ElementCount({std::numeric_limits<std::int64_t>::min()}).ok());
  EXPECT_EQ(ElementCount({std::int64_t{1} << 58}).value(), std::int64_t{1} << 58);
}

TEST(ShapeStringTest, WritesWhatPeopleWrite) {
  EXPECT_EQ(ShapeString({}), "scalar");
  EXPECT_EQ(ShapeString({1, 3, 224, 224}), "1x3x224x224");
  EXPECT_EQ(ShapeString({-1, 10}), "?x10");
}

TEST(TensorTest, TheDefaultIsEmpty) {
  const Tensor tensor;
  EXPECT_EQ(tensor.elements(), 0);
  EXPECT_EQ(tensor.size_bytes(), 0U);
  EXPECT_TRUE(tensor.floats().empty());
}

TEST(TensorTest, TakesBytesOfTheRightSizeOnly) {
  const Tensor tensor = Tensor::FromBytes(DataType::kInt16, {3}, "abcdef").value();
  EXPECT_EQ(tensor.elements(), 3);
  EXPECT_EQ(tensor.bytes(), "abcdef");
  const absl::Status status = Tensor::FromBytes(DataType::kInt16, {3}, "abcde").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("tensor INT16 3: found 5 bytes, expected 6"));
  EXPECT_FALSE(Tensor::FromBytes(DataType::kInt16, {-3}, "abcdef").ok());
}

TEST(TensorTest, CopiesShareTheBytes) {
  Tensor copy;
  {
    const Tensor tensor = Tensor::FromFloats({2}, {1.5F, 2.5F}).value();
    copy = tensor;
    EXPECT_EQ(copy.data(), tensor.data());
  }
  EXPECT_THAT(std::vector<float>(copy.floats().begin(), copy.floats().end()),
              testing::ElementsAre(1.5F, 2.5F));
}

TEST(TensorTest, AViewKeepsItsOwnerAlive) {
  auto owner = std::make_shared<std::vector<float>>(4, 2.0F);
  const std::weak_ptr<std::vector<float>> watch = owner;
  {
    const float* data = owner->data() + 1;
    const Tensor view = Tensor::Wrap(DataType::kFloat32, {3}, data, 12, std::move(owner)).value();
    EXPECT_FALSE(watch.expired());
    EXPECT_EQ(view.floats()[2], 2.0F);
    EXPECT_EQ(view.floats().data(), data);
  }
  EXPECT_TRUE(watch.expired());
}

TEST(TensorTest, ZerosAreZero) {
  const Tensor tensor = Tensor::Zeros(DataType::kFloat32, {2, 3}).value();
  EXPECT_EQ(tensor.size_bytes(), 24U);
  for (const float value : tensor.floats()) EXPECT_EQ(value, 0.0F);
  EXPECT_FALSE(Tensor::Zeros(DataType::kFloat32, {-1}).ok());
}

TEST(TensorTest, ZerosThatNoMachineHoldsAreAnError) {
  EXPECT_EQ(Tensor::Zeros(DataType::kInt64, {std::int64_t{1} << 58}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(TensorTest, FloatsMustFillTheShape) {
  EXPECT_FALSE(Tensor::FromFloats({2}, {1, 2, 3}).ok());
  EXPECT_EQ(Tensor::FromFloats({}, {7}).value().elements(), 1);
}

constexpr absl::string_view kTexts[] = {"red", "", absl::string_view("a\0\xFF", 3), "blue"};

TEST(StringTensorTest, LiesAsLengthsAndBytes) {
  const Tensor tensor = Tensor::FromStrings({2, 2}, kTexts).value();
  EXPECT_EQ(tensor.dtype(), DataType::kString);
  EXPECT_EQ(tensor.elements(), 4);
  EXPECT_THAT(tensor.strings(), testing::ElementsAreArray(kTexts));
  const std::string bytes =
      std::string("\3\0\0\0red\0\0\0\0\3\0\0\0a\0\xFF", 18) + std::string("\4\0\0\0blue", 8);
  EXPECT_EQ(std::string(tensor.bytes()), bytes);
  const Tensor back = Tensor::FromBytes(DataType::kString, {4}, bytes).value();
  EXPECT_THAT(back.strings(), testing::ElementsAreArray(kTexts));
}

TEST(StringTensorTest, EveryLengthIsChecked) {
  const std::string whole(Tensor::FromStrings({2, 2}, kTexts).value().bytes());
  const auto error = [](const Shape& shape, const std::string& bytes) {
    return std::string(Tensor::FromBytes(DataType::kString, shape, bytes).status().message());
  };
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(error({2, 2}, whole.substr(0, size)), HasSubstr("expected")) << size;
  }
  EXPECT_THAT(error({3}, whole), HasSubstr("tensor BYTES 3: found 4 strings, expected 3"));
  EXPECT_THAT(error({5}, whole), HasSubstr("found 4 strings, expected 5"));
  EXPECT_THAT(error({4}, whole + "x"), HasSubstr("element 4: found 1 bytes"));
  EXPECT_THAT(error({1},
                    "\xFF\xFF\xFF\xFF"
                    "abc"),
              HasSubstr("element 0: found 3 bytes, expected its length of 4294967295"));
  EXPECT_THAT(error({std::int64_t{1} << 50}, whole), HasSubstr("found 4 strings"));
  EXPECT_EQ(error({0}, ""), "");
  EXPECT_FALSE(Tensor::FromStrings({3}, kTexts).ok());
}

TEST(StringTensorTest, ZerosAreEmptyStrings) {
  const Tensor tensor = Tensor::Zeros(DataType::kString, {3}).value();
  EXPECT_THAT(tensor.strings(), testing::ElementsAre("", "", ""));
}

TEST(StringTensorTest, AnEstimateCountsLengthsAndSomeText) {
  EXPECT_EQ(EstimatedBytes(DataType::kString, {2, 3}), 6 * 16);
  EXPECT_EQ(EstimatedBytes(DataType::kFloat16, {2, 3}), 12);
  EXPECT_EQ(EstimatedBytes(DataType::kFloat16, {-1}), 0);
}

TEST(SplitTest, GivesRowsWithoutACopy) {
  const Tensor numbers = Tensor::FromFloats({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7}).value();
  const std::vector<Tensor> halves = numbers.Split(2).value();
  ASSERT_EQ(halves.size(), 2U);
  EXPECT_EQ(halves[1].shape(), (Shape{2, 2}));
  EXPECT_THAT(halves[1].floats(), testing::ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(halves[1].data(), numbers.data() + 16);
  const std::vector<Tensor> rows = Tensor::FromStrings({2, 2}, kTexts).value().Split(2).value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0].strings(), testing::ElementsAre("red", ""));
  EXPECT_THAT(rows[1].strings(), testing::ElementsAre(kTexts[2], "blue"));
  EXPECT_EQ(rows[1].shape(), (Shape{1, 2}));
  EXPECT_FALSE(numbers.Split(3).ok());
  EXPECT_FALSE(numbers.Split(0).ok());
  EXPECT_EQ(Tensor::FromFloats({}, {1}).value().Split(1).value().size(), 1U);
  EXPECT_FALSE(Tensor::FromFloats({}, {1}).value().Split(2).ok());
}

}  // namespace
}  // namespace cleave
