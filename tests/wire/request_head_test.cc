#include "wire/request_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "open_inference_grpc.pb.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

grpc::ByteBuffer Bytes(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

inference::ModelInferRequest Request() {
  inference::ModelInferRequest request;
  request.set_model_name("m");
  (*request.mutable_parameters())["cleave_cut"].set_int64_param(4);
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(2);
  input.add_shape(3);
  return request;
}

TEST(ReadRequestHead, SaysAllButContents) {
  inference::ModelInferRequest request = Request();
  request.mutable_inputs(0)->set_shape(0, 1 << 16);
  request.add_raw_input_contents(std::string((1 << 16) * 3 * 4, 'x'));
  request.set_model_version("1");
  const auto read = ReadRequestHead(Bytes(request.SerializeAsString()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->head.model, "m");
  EXPECT_EQ(read->head.version, "1");
  EXPECT_EQ(read->head.cut, 4);
  ASSERT_EQ(read->head.inputs.size(), 1U);
  EXPECT_EQ(read->head.inputs[0].name, "x");
  EXPECT_THAT(read->head.inputs[0].shape, ElementsAre(1 << 16, 3));
  EXPECT_GE(read->parsed_bytes, (1 << 16) * 3 * 4);
  EXPECT_LE(read->parsed_bytes, (1 << 16) * 3 * 4 + 1000);
}

TEST(ReadRequestHead, KnowsWhatTypedContentsBecome) {
  inference::ModelInferRequest request = Request();
  for (int i = 0; i < 1000; ++i) {
    request.mutable_inputs(0)->mutable_contents()->add_bytes_contents("");
  }
  const auto strings = ReadRequestHead(Bytes(request.SerializeAsString()));
  ASSERT_TRUE(strings.ok()) << strings.status();
  EXPECT_GE(strings->parsed_bytes, 1000 * static_cast<std::int64_t>(sizeof(std::string)));
  request.mutable_inputs(0)->mutable_contents()->clear_bytes_contents();
  for (int i = 0; i < 1000; ++i) {
    request.mutable_inputs(0)->mutable_contents()->add_int64_contents(1);
  }
  EXPECT_GE(ReadRequestHead(Bytes(request.SerializeAsString()))->parsed_bytes, 8000);
}

TEST(ReadRequestHead, RefusesWhatIsLargeBesideTheContents) {
  inference::ModelInferRequest request = Request();
  for (int i = 0; i < 200'000; ++i) request.add_outputs();
  const absl::Status refused = ReadRequestHead(Bytes(request.SerializeAsString())).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("262144"));
  inference::ModelInferRequest contents = Request();
  for (int i = 0; i < 2; ++i) contents.add_raw_input_contents("");
  EXPECT_THAT(std::string(ReadRequestHead(Bytes(contents.SerializeAsString())).status().message()),
              HasSubstr("found 2 raw contents for 1 inputs"));
}

TEST(ReadRequestHead, ComparesTheSizeOfRawContentsWithTheirShape) {
  inference::ModelInferRequest request = Request();
  request.add_raw_input_contents(std::string(24, 'x'));
  EXPECT_TRUE(ReadRequestHead(Bytes(request.SerializeAsString())).ok());
  request.mutable_raw_input_contents(0)->resize(20);
  EXPECT_EQ(ReadRequestHead(Bytes(request.SerializeAsString())).status().message(),
            "input 'x': tensor FP32 2x3: found 20 bytes, expected 24");
  request.mutable_inputs(0)->set_shape(0, -2);
  EXPECT_THAT(std::string(ReadRequestHead(Bytes(request.SerializeAsString())).status().message()),
              HasSubstr("input 'x': shape ?x3: found a dimension of -2"));
}

TEST(ReadRequestHead, ShortensTheNameThatNoModelHas) {
  inference::ModelInferRequest request = Request();
  request.set_model_name(std::string(20 << 20, 'n'));
  const auto read = ReadRequestHead(Bytes(request.SerializeAsString()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->head.model, std::string(4096, 'n'));
}

TEST(ReadRequestHead, RefusesBytesThatAreNoMessage) {
  const std::string whole = Request().SerializeAsString();
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff\xff"), std::string("\x3a\xff\xff\xff\x7f", 5),
        std::string(1000, '\0'), whole.substr(0, whole.size() - 1), std::string("\x2a\x05xx", 4)}) {
    EXPECT_EQ(ReadRequestHead(Bytes(bytes)).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(ReadRequestHead(grpc::ByteBuffer()).ok()) << "an empty message is one";
}

}  // namespace
}  // namespace cleave
