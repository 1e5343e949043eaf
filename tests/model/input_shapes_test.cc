#include "model/input_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/odd_models.h"

namespace cleave {
namespace {

using ::cleave::testing::Dim;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Input {
  std::string name;
  int type = onnx::TensorProto::FLOAT;
  std::vector<Dim> dims;
};

// A model with these inputs, each of which is an output, too.
std::shared_ptr<const Graph> ModelOf(const std::vector<Input>& inputs) {
  onnx::ModelProto model = testing::EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  for (const Input& input : inputs) {
    testing::DescribeAs(input.name, input.type, input.dims, *graph.add_input());
    testing::DescribeAs(input.name + "_out", input.type, input.dims, *graph.add_output());
    testing::AddNode(graph, "Identity", {input.name}, input.name + "_out");
  }
  return Graph::FromBytes(model.SerializeAsString(), "model.onnx").value();
}

InputShapes Guessed(const std::vector<Input>& inputs, const ShapeRequest& request = {}) {
  const auto resolved = ResolveInputs(*ModelOf(inputs), request);
  EXPECT_TRUE(resolved.ok()) << resolved.status();
  return resolved.ok() ? ShapesOf(resolved->specs) : InputShapes();
}

std::string ErrorOf(const std::vector<Input>& inputs, const ShapeRequest& request) {
  return std::string(ResolveInputs(*ModelOf(inputs), request).status().message());
}

constexpr int kFloat = onnx::TensorProto::FLOAT;
constexpr int kInt64 = onnx::TensorProto::INT64;

TEST(ResolveInputs, GuessesByTheKindOfTheInput) {
  EXPECT_EQ(Guessed({{"x", kFloat, {"N", 3, "H", "W"}}}), (InputShapes{{1, 3, 320, 320}}));
  EXPECT_EQ(Guessed({{"x", kFloat, {1, "H", "W", 3}}}), (InputShapes{{1, 320, 320, 3}}));
  EXPECT_EQ(Guessed({{"x", kFloat, {"N", 3, 48, "W"}}}), (InputShapes{{1, 3, 48, 320}}));
  EXPECT_EQ(Guessed({{"x", kFloat, {"", "", "", ""}}}), (InputShapes{{1, 3, 320, 320}}));
  EXPECT_EQ(Guessed({{"x", onnx::TensorProto::UINT8, {"N", "", "", 3}}}),
            (InputShapes{{1, 320, 320, 3}}));
  EXPECT_EQ(Guessed({{"audio", kFloat, {1, "samples"}}}), (InputShapes{{1, 16000}}));
  EXPECT_EQ(Guessed({{"audio", kFloat, {"samples"}}}), (InputShapes{{16000}}));
  EXPECT_EQ(Guessed({{"x", kFloat, {"batch", "frames", 80}}}), (InputShapes{{1, 16, 80}}));
  EXPECT_EQ(Guessed({{"ids", kInt64, {"batch", "seq"}}, {"mask", kInt64, {"batch", "seq"}}}),
            (InputShapes{{1, 16}, {1, 16}}));
  EXPECT_EQ(Guessed({{"past", kFloat, {"batch", 4, "past_len", 8}}}), (InputShapes{{1, 4, 16, 8}}));
  EXPECT_EQ(Guessed({{"text", onnx::TensorProto::STRING, {"N"}}}), (InputShapes{{16}}));
}

TEST(ResolveInputs, ANameHasOneSizeAndSumsAreComputed) {
  ShapeRequest request;
  request.shapes["ids"] = {2, 5};
  EXPECT_EQ(Guessed({{"mask", kInt64, {"batch", "past + seq"}},
                     {"ids", kInt64, {"batch", "seq"}},
                     {"past", kFloat, {"batch", 4, "past", 8}}},
                    request),
            (InputShapes{{2, 21}, {2, 5}, {2, 4, 16, 8}}));
}

TEST(ResolveInputs, AMaskIsAsLongAsPastAndNewTokensTogether) {
  const Input past{"past_key_0", kFloat, {"batch", 2, "past_length", 16}};
  const Input ids{"input_ids", kInt64, {"batch", "length"}};
  // As transformers, optimum and ONNX Runtime's generators name it, and without a name.
  for (const char* name :
       {"total_length", "total_sequence_length", "past_length + length", "all", ""}) {
    EXPECT_EQ(Guessed({ids, {"attention_mask", kInt64, {"batch", name}}, past}),
              (InputShapes{{1, 16}, {1, 32}, {1, 2, 16, 16}}))
        << name;
  }
  EXPECT_EQ(Guessed({{"attention_mask", kInt64, {"batch", "past_length + 1"}},
                     {"input_ids", kInt64, {"batch", 1}},
                     past}),
            (InputShapes{{1, 17}, {1, 1}, {1, 2, 16, 16}}));
  EXPECT_EQ(Guessed({{"attention_mask", kInt64, {"batch", "total_length"}},
                     {"input_ids", kInt64, {"batch", 1}},
                     past}),
            (InputShapes{{1, 17}, {1, 1}, {1, 2, 16, 16}}));
  EXPECT_EQ(Guessed({{"attention_mask", kInt64, {"batch", "length"}}, ids, past}),
            (InputShapes{{1, 16}, {1, 16}, {1, 2, 16, 16}}));
  ShapeRequest request;
  request.shapes["past_key_0"] = {1, 2, 5, 16};
  EXPECT_EQ(Guessed({ids, {"attention_mask", kInt64, {"batch", "total_length"}}, past}, request),
            (InputShapes{{1, 16}, {1, 21}, {1, 2, 5, 16}}));
}

TEST(ResolveInputs, SaysWhatItGuessed) {
  const auto resolved =
      ResolveInputs(*ModelOf({{"x", kFloat, {"N", 3, "H", 64}}, {"y", kFloat, {"N", 3, "H", 64}}}),
                    {.batch = 4, .shapes = {}});
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(ShapesOf(resolved->specs), (InputShapes{{4, 3, 320, 64}, {4, 3, 320, 64}}));
  ASSERT_EQ(resolved->guesses.size(), 1U);
  EXPECT_EQ(resolved->guesses[0],
            "input 'x': dimension 2 ('H') is free, taken as 320 (--shape x=... changes it)");
}

TEST(ResolveInputs, TakesWhatIsAskedForAndGuessesTheRest) {
  ShapeRequest request;
  request.shapes["x"] = {-1, -1, 416, -1};
  request.batch = 2;
  EXPECT_EQ(Guessed({{"x", kFloat, {"N", 3, "H", "W"}}}, request), (InputShapes{{2, 3, 416, 320}}));
  request.shapes["x"] = {7, 3, 8, 8};
  request.batch.reset();
  EXPECT_EQ(Guessed({{"y", kFloat, {"N", 2}}, {"x", kFloat, {"N", 3, "H", "W"}}}, request),
            (InputShapes{{7, 2}, {7, 3, 8, 8}}));
}

TEST(ShapesDependOnData, WhereIntegersMayBeSizesAndStringsAreTakenApart) {
  EXPECT_FALSE(ShapesDependOnData(*ModelOf({{"x", kFloat, {"N", 4}}})));
  EXPECT_TRUE(ShapesDependOnData(*ModelOf({{"k", kInt64, {1}}})));
  EXPECT_TRUE(ShapesDependOnData(*ModelOf({{"text", onnx::TensorProto::STRING, {"N"}}})));
}

TEST(ResolveInputs, RefusesWhatCannotBe) {
  const std::vector<Input> inputs = {{"x", kFloat, {"N", 3, "H", "H"}}};
  const auto error = [&](const Shape& shape) {
    ShapeRequest request;
    request.shapes["x"] = shape;
    return ErrorOf(inputs, request);
  };
  EXPECT_THAT(error({1, 3, 8}), AllOf(HasSubstr("found 1x3x8"), HasSubstr("4 dimensions")));
  EXPECT_THAT(error({1, 4, 8, 8}), AllOf(HasSubstr("found 1x4x8x8"), HasSubstr("?x3x?x?")));
  EXPECT_THAT(error({1, 3, 8, 9}), AllOf(HasSubstr("'H'"), HasSubstr("found 9")));
  ShapeRequest request;
  request.shapes["z"] = {1};
  EXPECT_THAT(ErrorOf(inputs, request), AllOf(HasSubstr("'z'"), HasSubstr("'x'")));
  EXPECT_THAT(ErrorOf(inputs, {.batch = 0, .shapes = {}}), HasSubstr("batch: found 0"));
  EXPECT_THAT(ErrorOf({{"x", kFloat, {4, 3}}}, {.batch = 2, .shapes = {}}),
              HasSubstr("fixed at 4"));
}

TEST(Batch, IsWhereTheModelHasIt) {
  const auto batch = [](const std::vector<Input>& inputs) {
    const auto graph = ModelOf(inputs);
    return std::pair(BatchAxis(*graph, 0), FixedBatch(*graph));
  };
  EXPECT_EQ(batch({{"x", kFloat, {"N", 3}}}), (std::pair(std::optional(0), std::int64_t{0})));
  EXPECT_EQ(batch({{"x", kFloat, {"seq", "batch", 3}}}),
            (std::pair(std::optional(1), std::int64_t{0})));
  EXPECT_EQ(batch({{"x", kFloat, {4, 3}}}), (std::pair(std::optional(0), std::int64_t{4})));
  EXPECT_EQ(batch({{"x", kFloat, {16}}}), (std::pair(std::optional<int>(), std::int64_t{1})));
  EXPECT_EQ(batch({{"x", kFloat, {}}}), (std::pair(std::optional<int>(), std::int64_t{1})));
  EXPECT_EQ(batch({{"x", kFloat, {"length", 8}}}),
            (std::pair(std::optional<int>(), std::int64_t{1})));
}

TEST(Batch, IsPutIntoEveryInputThatHasIt) {
  const auto graph = ModelOf(
      {{"x", kFloat, {"N", 3, "H", "W"}}, {"s", kFloat, {}}, {"z", kInt64, {"len", "batch"}}});
  const InputShapes shapes = {{1, 3, 8, 9}, {}, {5, 1}};
  EXPECT_EQ(*WithBatch(*graph, shapes, 6), (InputShapes{{6, 3, 8, 9}, {}, {5, 6}}));
  EXPECT_EQ(BatchOf(*graph, *WithBatch(*graph, shapes, 6)), 6);
  EXPECT_FALSE(WithBatch(*graph, shapes, 0).ok());
  EXPECT_FALSE(WithBatch(*ModelOf({{"x", kFloat, {4, 3}}}), {{4, 3}}, 5).ok());
}

TEST(CheckShapes, NamesTheInputThatDoesNotFit) {
  const auto graph = ModelOf({{"x", kFloat, {"N", 3, "W"}}, {"y", kFloat, {"N", "M"}}});
  EXPECT_TRUE(CheckShapes(*graph, {{2, 3, 9}, {2, 1}}).ok());
  EXPECT_TRUE(CheckShapes(*graph, {{0, 3, 0}, {0, 0}}).ok());
  const auto error = [&](const InputShapes& shapes) {
    return std::string(CheckShapes(*graph, shapes).message());
  };
  EXPECT_THAT(error({{2, 4, 9}, {2, 1}}), AllOf(HasSubstr("'x'"), HasSubstr("?x3x?")));
  EXPECT_THAT(error({{2, 3}, {2, 1}}), HasSubstr("found shape 2x3"));
  EXPECT_THAT(error({{2, 3, 9}, {3, 1}}), AllOf(HasSubstr("'y'"), HasSubstr("batch size 3")));
}

TEST(ParseShapeFlag, ReadsNamesAndSizes) {
  ShapeRequest request;
  EXPECT_TRUE(ParseShapeFlag("x=1,3,320,-1", request).ok());
  EXPECT_TRUE(ParseShapeFlag("in=put=2x8", request).ok());
  EXPECT_TRUE(ParseShapeFlag("scalar=", request).ok());
  EXPECT_EQ(request.shapes.at("x"), (Shape{1, 3, 320, -1}));
  EXPECT_EQ(request.shapes.at("in=put"), (Shape{2, 8}));
  EXPECT_EQ(request.shapes.at("scalar"), Shape());
  for (const char* text : {"x", "=1,2", "y=1,b", "y=1,,2", "y=-2", "y=99999999999", "x=1"}) {
    EXPECT_FALSE(ParseShapeFlag(text, request).ok()) << text;
  }
}

TEST(ShapesDependOnData, SaysSoOfOperatorsAndCounts) {
  const auto says = [](const onnx::ModelProto& model) {
    return ShapesDependOnData(*Graph::FromBytes(model.SerializeAsString(), "m").value());
  };
  EXPECT_FALSE(says(testing::FreeSizeModel()));
  EXPECT_TRUE(says(testing::NonZeroModel()));
  EXPECT_TRUE(says(testing::CountModel()));
  EXPECT_TRUE(says(testing::HiddenRandomModel(testing::Hiding::kBranch)));
}

}  // namespace
}  // namespace cleave
