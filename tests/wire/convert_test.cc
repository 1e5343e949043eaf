#include "wire/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "wire/contents.h"
#include "wire/payload.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

inference::ModelInferRequest RawRequest() {
  inference::ModelInferRequest request;
  request.set_model_name("m");
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(2);
  input.add_shape(3);
  request.add_raw_input_contents(std::string(24, '\0'));
  return request;
}

std::string ErrorOf(const std::function<void(inference::ModelInferRequest&)>& spoil) {
  inference::ModelInferRequest request = RawRequest();
  spoil(request);
  const absl::StatusOr<DecodedCall> decoded = ToInferCall(std::move(request));
  if (decoded.ok()) return "accepted";
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(decoded.status().message());
}

TEST(ToInferCall, TakesRawContentsWithoutCopying) {
  inference::ModelInferRequest request = RawRequest();
  const void* const bytes = request.raw_input_contents(0).data();
  const DecodedCall decoded = ToInferCall(std::move(request)).value();
  EXPECT_EQ(decoded.form, ContentForm::kRaw);
  ASSERT_EQ(decoded.call.inputs.size(), 1U);
  EXPECT_EQ(decoded.call.inputs[0].name, "x");
  EXPECT_EQ(decoded.call.inputs[0].tensor.data(), bytes);
  EXPECT_THAT(decoded.call.inputs[0].tensor.shape(), ElementsAre(2, 3));
}

TEST(ToInferCall, RefusesWhatDoesNotFitAndNamesIt) {
  EXPECT_EQ(ErrorOf([](auto&) {}), "accepted");
  EXPECT_THAT(ErrorOf([](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); }),
              HasSubstr("input 'x': tensor FP32 2x3: found 23 bytes, expected 24"));
  EXPECT_THAT(ErrorOf([](auto& r) { r.mutable_inputs(0)->set_shape(0, -2); }),
              HasSubstr("found a dimension of -2"));
  EXPECT_THAT(ErrorOf([](auto& r) { r.mutable_inputs(0)->set_shape(0, INT64_MAX); }),
              HasSubstr("input 'x'"));
  EXPECT_THAT(ErrorOf([](auto& r) { r.mutable_inputs(0)->set_datatype("STRING"); }),
              HasSubstr("input 'x': found datatype 'STRING', expected one of FP32"));
  EXPECT_THAT(ErrorOf([](auto& r) { r.mutable_inputs(0)->set_datatype("float"); }),
              HasSubstr("found datatype 'float'"));
  EXPECT_THAT(ErrorOf([](auto& r) { r.add_raw_input_contents("more"); }),
              HasSubstr("found 2 raw contents for 1 inputs"));
  EXPECT_THAT(ErrorOf([](auto& r) {
                *r.add_inputs() = r.inputs(0);
                *r.add_raw_input_contents() = r.raw_input_contents(0);
              }),
              HasSubstr("input 'x': found twice"));
  EXPECT_THAT(
      ErrorOf([](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1); }),
      HasSubstr("input 'x': found raw and typed contents"));
  EXPECT_THAT(ErrorOf([](auto& r) {
                r.add_outputs()->set_name("y");
                r.add_outputs()->set_name("y");
              }),
              HasSubstr("output 'y': found twice"));
  EXPECT_THAT(
      ErrorOf([](auto& r) { (*r.mutable_parameters())["cleave_cut"].set_string_param("1"); }),
      HasSubstr("parameter cleave_cut"));
  EXPECT_THAT(ErrorOf([](auto& r) { (*r.mutable_parameters())["cleave_cut"].set_int64_param(-1); }),
              HasSubstr("parameter cleave_cut"));
  EXPECT_THAT(
      ErrorOf([](auto& r) { (*r.mutable_parameters())["cleave_digest"].set_bool_param(true); }),
      HasSubstr("parameter cleave_digest"));
}

TEST(ToInferCall, TakesAWishForDetections) {
  InferCall call;
  call.model = "m";
  call.detections.emplace();
  call.detections->head = DetectionHead::Of(DetectionHead::Kind::kYoloV8);
  call.detections->head.outputs.predictions = "p";
  call.detections->input = {416, 320};
  inference::ModelInferRequest request = RawRequest();
  *request.mutable_parameters() = ToRequestHead(call).parameters();
  const DecodedCall decoded = ToInferCall(std::move(request)).value();
  ASSERT_TRUE(decoded.call.detections.has_value());
  EXPECT_EQ(decoded.call.detections->ToJson(), call.detections->ToJson());
  EXPECT_FALSE(ToInferCall(RawRequest())->call.detections.has_value());
}

TEST(ToInferCall, RefusesAWishForDetectionsThatIsNone) {
  constexpr char kParameter[] = "cleave_detections";
  EXPECT_THAT(ErrorOf([&](auto& r) { (*r.mutable_parameters())[kParameter].set_int64_param(1); }),
              HasSubstr("parameter cleave_detections: found another type"));
  EXPECT_THAT(
      ErrorOf([&](auto& r) { (*r.mutable_parameters())[kParameter].set_string_param("{"); }),
      HasSubstr("parameter cleave_detections"));
  EXPECT_THAT(ErrorOf([&](auto& r) {
                (*r.mutable_parameters())[kParameter].set_string_param(std::string(40'000, ' '));
              }),
              HasSubstr("parameter cleave_detections: found 40000 bytes, expected at most 32768"));
  EXPECT_THAT(ErrorOf([&](auto& r) {
                (*r.mutable_parameters())[kParameter].set_string_param("{}");
                r.add_outputs()->set_name("y");
              }),
              HasSubstr("parameter cleave_detections: found outputs beside it, expected none"));
}

TEST(ToInferCall, RefusesBoolBytesThatAreNoBool) {
  EXPECT_THAT(ErrorOf([](auto& r) {
                r.mutable_inputs(0)->set_datatype("BOOL");
                r.set_raw_input_contents(0, std::string("\0\1\1\0\2\0", 6));
              }),
              HasSubstr("found the byte 2 at 4"));
}

TEST(ToInferCall, TypedContents) {
  inference::ModelInferRequest request = RawRequest();
  request.clear_raw_input_contents();
  auto& contents = *request.mutable_inputs(0)->mutable_contents();
  for (int i = 0; i < 6; ++i) contents.add_fp32_contents(static_cast<float>(i));
  const inference::ModelInferRequest good = request;
  const DecodedCall decoded = ToInferCall(std::move(request)).value();
  EXPECT_EQ(decoded.form, ContentForm::kTyped);
  EXPECT_THAT(decoded.call.inputs[0].tensor.floats(), ElementsAre(0, 1, 2, 3, 4, 5));

  const auto error = [&](const std::function<void(inference::InferTensorContents&)>& spoil) {
    inference::ModelInferRequest copy = good;
    spoil(*copy.mutable_inputs(0)->mutable_contents());
    return std::string(ToInferCall(std::move(copy)).status().message());
  };
  EXPECT_THAT(error([](auto& c) { c.add_fp32_contents(1); }),
              HasSubstr("input 'x': found 7 elements of FP32 and 0 of other types, expected 6"));
  EXPECT_THAT(error([](auto& c) { c.add_int_contents(1); }),
              HasSubstr("found 6 elements of FP32 and 1 of other types"));
  EXPECT_THAT(error([](auto& c) { c.Clear(); }), HasSubstr("found 0 elements"));
}

// A request of three strings in raw form.
inference::ModelInferRequest StringRequest() {
  inference::ModelInferRequest request = RawRequest();
  auto& input = *request.mutable_inputs(0);
  input.set_datatype("BYTES");
  input.clear_shape();
  input.add_shape(3);
  request.set_raw_input_contents(0, std::string("\3\0\0\0red\0\0\0\0\2\0\0\0\xFF\0", 17));
  return request;
}

TEST(ToInferCall, StringsComeRawAndTyped) {
  const absl::string_view texts[] = {"red", "", absl::string_view("\xFF\0", 2)};
  const DecodedCall raw = ToInferCall(StringRequest()).value();
  EXPECT_EQ(raw.call.inputs[0].tensor.dtype(), DataType::kString);
  EXPECT_THAT(raw.call.inputs[0].tensor.strings(), ::testing::ElementsAreArray(texts));

  inference::ModelInferRequest request = StringRequest();
  request.clear_raw_input_contents();
  auto& contents = *request.mutable_inputs(0)->mutable_contents();
  for (const absl::string_view text : texts) contents.add_bytes_contents(std::string(text));
  inference::ModelInferRequest surplus = request;
  surplus.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  inference::ModelInferRequest few = request;
  few.mutable_inputs(0)->mutable_contents()->mutable_bytes_contents()->RemoveLast();
  const DecodedCall typed = ToInferCall(std::move(request)).value();
  EXPECT_EQ(typed.form, ContentForm::kTyped);
  EXPECT_EQ(typed.call.inputs[0].tensor.bytes(), raw.call.inputs[0].tensor.bytes());
  EXPECT_THAT(std::string(ToInferCall(std::move(surplus)).status().message()),
              HasSubstr("found 3 elements of BYTES and 1 of other types, expected 3"));
  EXPECT_THAT(std::string(ToInferCall(std::move(few)).status().message()),
              HasSubstr("found 2 elements of BYTES and 0 of other types, expected 3"));
}

TEST(ToInferCall, EveryLengthOfAStringIsChecked) {
  const std::string whole = StringRequest().raw_input_contents(0);
  const auto error = [](const std::string& bytes, std::int64_t count) {
    inference::ModelInferRequest request = StringRequest();
    request.set_raw_input_contents(0, bytes);
    request.mutable_inputs(0)->set_shape(0, count);
    return std::string(ToInferCall(std::move(request)).status().message());
  };
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(error(whole.substr(0, size), 3), HasSubstr("input 'x': tensor BYTES 3")) << size;
  }
  EXPECT_THAT(error(whole, 2), HasSubstr("found 3 strings, expected 2"));
  EXPECT_THAT(error(whole, std::int64_t{1} << 40), HasSubstr("found 3 strings"));
  EXPECT_THAT(error(whole, -1), HasSubstr("found a dimension of -1"));
  EXPECT_THAT(error(std::string(3, '\0'), 1), HasSubstr("4 bytes of length"));
  EXPECT_THAT(error("\xFF\xFF\xFF\x7F", 1), HasSubstr("its length of 2147483647"));
}

TEST(Payload, StringsTravelBothWaysAndInNoFrame) {
  const absl::string_view texts[] = {"red", "", absl::string_view("\xFF\0", 2)};
  InferCall call;
  call.model = "m";
  call.inputs = {{"s", Tensor::FromStrings({3}, texts).value()}};
  grpc::ByteBuffer request = EncodeRequest(call).value().bytes;
  EXPECT_EQ(DecodeRequest(request).value().call.inputs[0].tensor.bytes(),
            call.inputs[0].tensor.bytes());
  call.encode = EncodeOptions();
  EXPECT_THAT(std::string(EncodeRequest(call).status().message()),
              HasSubstr("input 's': encoding as fp32: found strings"));
  InferReply reply;
  reply.outputs = {{"y", call.inputs[0].tensor}};
  for (const ContentForm form : {ContentForm::kRaw, ContentForm::kTyped}) {
    grpc::ByteBuffer response = EncodeResponse(reply, form);
    EXPECT_EQ(DecodeResponse(response).value().outputs[0].tensor.bytes(),
              reply.outputs[0].tensor.bytes());
  }
}

TEST(Contents, EveryTypeSurvivesTheWayThereAndBack) {
  for (int index = 0; index <= static_cast<int>(DataType::kBool); ++index) {
    const auto dtype = static_cast<DataType>(index);
    SCOPED_TRACE(std::string(DataTypeName(dtype)));
    if (!HasTypedContents(dtype)) continue;
    std::string bytes(5 * ElementSize(dtype), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(dtype == DataType::kBool ? i % 2 : i * 3 + 1);
    }
    const Tensor tensor = Tensor::FromBytes(dtype, {5}, bytes).value();
    inference::InferTensorContents contents;
    FillContents(tensor, contents);
    EXPECT_EQ(CountContents(contents), 5);
    const Tensor back = TensorFromContents("t", dtype, {5}, contents).value();
    EXPECT_EQ(std::string(back.bytes()), bytes);
  }
}

TEST(Contents, RefusesValuesOutOfRangeAndTypesThatOnlyTravelRaw) {
  inference::InferTensorContents contents;
  contents.add_int_contents(127);
  contents.add_int_contents(-129);
  EXPECT_THAT(
      std::string(TensorFromContents("t", DataType::kInt8, {2}, contents).status().message()),
      HasSubstr("t: element 1 is out of the range of INT8"));
  EXPECT_TRUE(TensorFromContents("t", DataType::kInt16, {2}, contents).ok());
  EXPECT_THAT(
      std::string(TensorFromContents("t", DataType::kFloat16, {2}, contents).status().message()),
      HasSubstr("FP16 has no typed contents"));
}

TEST(Payload, EncodesWhatProtobufWouldHave) {
  InferCall call;
  call.model = "m";
  call.id = "7";
  call.cut = 3;
  call.digest = "abc";
  call.outputs = {"y"};
  call.inputs.push_back({"small", Tensor::FromBytes(DataType::kInt8, {3}, "abc").value()});
  call.inputs.push_back(
      {"large", Tensor::FromBytes(DataType::kUint8, {10000}, std::string(10000, 'z')).value()});
  call.inputs.push_back({"none", Tensor::Zeros(DataType::kFloat32, {0, 4}).value()});

  call.exit = 1;
  grpc::ByteBuffer buffer = EncodeRequest(call).value().bytes;
  inference::ModelInferRequest expected = ToRequestHead(call);
  for (const NamedTensor& input : call.inputs) {
    expected.add_raw_input_contents(std::string(input.tensor.bytes()));
  }
  EXPECT_EQ(buffer.Length(), expected.ByteSizeLong());

  const InferCall back = DecodeRequest(buffer).value().call;
  EXPECT_EQ(back.model, "m");
  EXPECT_EQ(back.id, "7");
  EXPECT_EQ(back.cut, 3);
  EXPECT_EQ(back.exit, 1);
  EXPECT_EQ(back.digest, "abc");
  EXPECT_THAT(back.outputs, ElementsAre("y"));
  ASSERT_EQ(back.inputs.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.inputs[i].name, call.inputs[i].name);
    EXPECT_EQ(back.inputs[i].tensor.shape(), call.inputs[i].tensor.shape());
    EXPECT_EQ(back.inputs[i].tensor.bytes(), call.inputs[i].tensor.bytes());
  }
}

TEST(Payload, AnswersInTheFormOfTheRequestWhereTheTypesAllowIt) {
  InferReply reply;
  reply.outputs.push_back({"y", Tensor::FromFloats({2}, {1, 2}).value()});
  const auto parse = [](const grpc::ByteBuffer& buffer) {
    grpc::Slice slice;
    EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
    inference::ModelInferResponse response;
    EXPECT_TRUE(response.ParseFromArray(slice.begin(), static_cast<int>(slice.size())));
    return response;
  };
  const auto typed = parse(EncodeResponse(reply, ContentForm::kTyped));
  EXPECT_EQ(typed.raw_output_contents_size(), 0);
  EXPECT_THAT(typed.outputs(0).contents().fp32_contents(), ElementsAre(1, 2));
  const auto raw = parse(EncodeResponse(reply, ContentForm::kRaw));
  EXPECT_EQ(raw.raw_output_contents_size(), 1);
  EXPECT_FALSE(raw.outputs(0).has_contents());

  reply.outputs.push_back({"half", Tensor::Zeros(DataType::kFloat16, {2}).value()});
  EXPECT_EQ(parse(EncodeResponse(reply, ContentForm::kTyped)).raw_output_contents_size(), 2);
}

TEST(Payload, ForeignBytesAreAnErrorOnBothSides) {
  const grpc::Slice slice("\xff\xff\xff\xff not protobuf");
  grpc::ByteBuffer request(&slice, 1);
  EXPECT_EQ(DecodeRequest(request).status().code(), absl::StatusCode::kInvalidArgument);
  grpc::ByteBuffer response(&slice, 1);
  EXPECT_EQ(DecodeResponse(response).status().code(), absl::StatusCode::kInternal);
}

TEST(ToInferReply, CallsABrokenAnswerInternal) {
  inference::ModelInferResponse response;
  auto& output = *response.add_outputs();
  output.set_name("y");
  output.set_datatype("FP32");
  output.add_shape(int64_t{1} << 40);
  response.add_raw_output_contents("abcd");
  const absl::Status status = ToInferReply(std::move(response)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("output 'y'"));
}

TEST(Metadata, SurvivesTheWayThereAndBack) {
  const ModelInfo info{"m", "d", "onnx", {{"x", DataType::kBFloat16, {-1, 3}}}, {}, {0, 5}};
  const ModelInfo back = ToModelInfo(ToMetadata(info)).value();
  EXPECT_EQ(back.name, "m");
  EXPECT_EQ(back.digest, "d");
  EXPECT_THAT(back.cuts, ElementsAre(0, 5));
  ASSERT_EQ(back.inputs.size(), 1U);
  EXPECT_EQ(back.inputs[0].dtype, DataType::kBFloat16);
  EXPECT_THAT(back.inputs[0].shape, ElementsAre(-1, 3));
}

TEST(Metadata, CarriesExitsWhereThereAreSome) {
  ModelInfo info{"m", "d", "onnx", {}, {}, {0}, {}};
  EXPECT_FALSE(ToMetadata(info).properties().contains("cleave.exits"));
  info.exits = {{"exit 1", {0, 3}}, {"\"last\"", {0, 3, 9}}, {"none", {}}};
  const inference::ModelMetadataResponse metadata = ToMetadata(info);
  EXPECT_THAT(metadata.properties().at("cleave.exits"),
              HasSubstr(R"({"cuts":[0,3],"name":"exit 1"})"));
  const ModelInfo back = ToModelInfo(metadata).value();
  ASSERT_EQ(back.exits.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.exits[i].name, info.exits[i].name);
    EXPECT_EQ(back.exits[i].cuts, info.exits[i].cuts);
  }
}

TEST(Metadata, BrokenExitsAreAnError) {
  for (const char* text :
       {"", "[", "{}", "[]", "[1]", "[{}]", R"([{"name":"a"}])", R"([{"cuts":[0]}])",
        R"([{"name":1,"cuts":[0]}])", R"([{"name":"","cuts":[0]}])", R"([{"name":"a","cuts":0}])",
        R"([{"name":"a","cuts":[-1]}])", R"([{"name":"a","cuts":[0.5]}])",
        R"([{"name":"a","cuts":[2147483648]}])", R"([{"name":"a","cuts":[[0]]}])",
        "[{\"name\":\"\xff\",\"cuts\":[0]}]"}) {
    inference::ModelMetadataResponse metadata;
    (*metadata.mutable_properties())["cleave.exits"] = text;
    const absl::Status status = ToModelInfo(metadata).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("property cleave.exits")) << text;
  }
}

TEST(Metadata, NamesTheCodecsWhereThereAreSome) {
  ModelInfo info{"m", "d", "onnx", {}, {}, {0}, {}};
  EXPECT_FALSE(ToMetadata(info).properties().contains("cleave.codec"));
  EXPECT_EQ(ToModelInfo(ToMetadata(info))->codec_digest, "");
  info.codec_digest = std::string(64, 'a');
  EXPECT_EQ(ToModelInfo(ToMetadata(info))->codec_digest, info.codec_digest);
  info.codec_digest = "short";
  const absl::Status status = ToModelInfo(ToMetadata(info)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("property cleave.codec"));
}

TEST(Metadata, OfAPlainServerHasNoCutsAndABrokenListIsAnError) {
  inference::ModelMetadataResponse metadata;
  metadata.set_name("m");
  EXPECT_TRUE(ToModelInfo(metadata).value().cuts.empty());
  (*metadata.mutable_properties())["cleave.cuts"] = "[0,x]";
  EXPECT_EQ(ToModelInfo(metadata).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace cleave
