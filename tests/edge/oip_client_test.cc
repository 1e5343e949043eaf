// A plain Open Inference Protocol client against the real program: generated from the public proto
// alone, no code of cleave is linked.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "open_inference_grpc.grpc.pb.h"
#include "support/odd_models.h"
#include "support/serve_process.h"
#include "support/tiny_models.h"

namespace {

using cleave::testing::PoolModel;
using cleave::testing::ServeProcess;
using cleave::testing::TempDir;
using ::testing::HasSubstr;
using Service = inference::GRPCInferenceService;

class OipClientTest : public ::testing::Test {
 protected:
  // One for all tests; ends with the test program.
  static const ServeProcess& Server() {
    struct Served {
      TempDir folder;
      std::string file = folder.Write("pool.onnx", PoolModel());
      ServeProcess process{{folder.path(), "--listen", "127.0.0.1:0", "--max-message", "64KiB"}};
    };
    static const Served served;
    return served.process;
  }
  void SetUp() override {
    ASSERT_FALSE(Server().target().empty()) << Server().errors();
    channel_ = grpc::CreateChannel(Server().target(), grpc::InsecureChannelCredentials());
    stub_ = Service::NewStub(channel_);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  }

  static std::vector<float> Values(int batch) {
    std::vector<float> values(static_cast<std::size_t>(batch) * 192);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3;
    return values;
  }
  static std::vector<float> Expected(const std::vector<float>& values) {
    std::vector<float> means;
    for (std::size_t plane = 0; plane < values.size() / 64; ++plane) {
      float sum = 0;
      for (std::size_t i = 0; i < 64; ++i) sum += std::max(0.0F, values[plane * 64 + i]);
      means.push_back(2 * sum / 64);
    }
    return means;
  }
  static inference::ModelInferRequest Described(int batch) {
    inference::ModelInferRequest request;
    request.set_model_name("pool");
    request.set_id("42");
    auto& input = *request.add_inputs();
    input.set_name("x");
    input.set_datatype("FP32");
    for (const int dim : {batch, 3, 8, 8}) input.add_shape(dim);
    return request;
  }
  static inference::ModelInferRequest Raw(int batch) {
    inference::ModelInferRequest request = Described(batch);
    const std::vector<float> values = Values(batch);
    request.add_raw_input_contents(values.data(), values.size() * sizeof(float));
    return request;
  }
  grpc::Status Infer(const inference::ModelInferRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    return stub_->ModelInfer(&context, request, &response_);
  }
  void ExpectRefused(const inference::ModelInferRequest& request, const std::string& why,
                     grpc::StatusCode code = grpc::StatusCode::INVALID_ARGUMENT) {
    const grpc::Status status = Infer(request);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(why));
    EXPECT_TRUE(Infer(Raw(1)).ok()) << "the next request must be fine";
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Service::Stub> stub_;
  grpc::ClientContext context_;
  inference::ModelInferResponse response_;
};

TEST_F(OipClientTest, ServerLive) {
  inference::ServerLiveResponse response;
  ASSERT_TRUE(stub_->ServerLive(&context_, {}, &response).ok());
  EXPECT_TRUE(response.live());
}

TEST_F(OipClientTest, ServerReady) {
  inference::ServerReadyResponse response;
  ASSERT_TRUE(stub_->ServerReady(&context_, {}, &response).ok());
  EXPECT_TRUE(response.ready());
}

TEST_F(OipClientTest, ModelReady) {
  inference::ModelReadyRequest request;
  inference::ModelReadyResponse response;
  request.set_name("pool");
  ASSERT_TRUE(stub_->ModelReady(&context_, request, &response).ok());
  EXPECT_TRUE(response.ready());
  request.set_name("other");
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->ModelReady(&context, request, &response).ok());
  EXPECT_FALSE(response.ready());
}

TEST_F(OipClientTest, ServerMetadata) {
  inference::ServerMetadataResponse response;
  ASSERT_TRUE(stub_->ServerMetadata(&context_, {}, &response).ok());
  EXPECT_EQ(response.name(), "cleave");
  EXPECT_FALSE(response.version().empty());
}

TEST_F(OipClientTest, ModelMetadata) {
  inference::ModelMetadataRequest request;
  inference::ModelMetadataResponse response;
  request.set_name("pool");
  ASSERT_TRUE(stub_->ModelMetadata(&context_, request, &response).ok());
  EXPECT_EQ(response.name(), "pool");
  EXPECT_EQ(response.platform(), "onnxruntime_onnx");
  ASSERT_EQ(response.inputs_size(), 1);
  EXPECT_EQ(response.inputs(0).name(), "x");
  EXPECT_EQ(response.inputs(0).datatype(), "FP32");
  EXPECT_THAT(response.inputs(0).shape(), ::testing::ElementsAre(-1, 3, 8, 8));
  EXPECT_EQ(response.outputs(0).name(), "y");
  EXPECT_EQ(response.properties().at("cleave.digest").size(), 64U);
  EXPECT_THAT(response.properties().at("cleave.cuts"), HasSubstr("[0,"));
}

TEST_F(OipClientTest, ModelInferWithRawContents) {
  ASSERT_TRUE(Infer(Raw(2)).ok());
  EXPECT_EQ(response_.model_name(), "pool");
  EXPECT_EQ(response_.id(), "42");
  ASSERT_EQ(response_.outputs_size(), 1);
  EXPECT_EQ(response_.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response_.outputs(0).shape(), ::testing::ElementsAre(2, 3, 1, 1));
  ASSERT_EQ(response_.raw_output_contents_size(), 1);
  std::vector<float> means(6);
  ASSERT_EQ(response_.raw_output_contents(0).size(), means.size() * sizeof(float));
  std::memcpy(means.data(), response_.raw_output_contents(0).data(), means.size() * sizeof(float));
  EXPECT_THAT(means, ::testing::Pointwise(::testing::FloatNear(1e-5F), Expected(Values(2))));
}

TEST_F(OipClientTest, ModelInferWithTypedContentsIsAnsweredInKind) {
  inference::ModelInferRequest request = Described(2);
  const std::vector<float> values = Values(2);
  request.mutable_inputs(0)->mutable_contents()->mutable_fp32_contents()->Add(values.begin(),
                                                                              values.end());
  request.set_model_version("1");
  request.add_outputs()->set_name("y");
  ASSERT_TRUE(Infer(request).ok());
  EXPECT_EQ(response_.raw_output_contents_size(), 0);
  EXPECT_THAT(response_.outputs(0).contents().fp32_contents(),
              ::testing::Pointwise(::testing::FloatNear(1e-5F), Expected(values)));
}

TEST_F(OipClientTest, WrongRequestsAreRefusedByName) {
  inference::ModelInferRequest request = Raw(1);
  request.set_model_name("other");
  ExpectRefused(request, "found model 'other', expected one of pool", grpc::StatusCode::NOT_FOUND);
  request = Raw(1);
  request.set_model_version("9");
  ExpectRefused(request, "found version '9'", grpc::StatusCode::NOT_FOUND);
  request = Raw(1);
  request.mutable_raw_input_contents(0)->resize(100);
  ExpectRefused(request, "input 'x': tensor FP32 1x3x8x8: found 100 bytes, expected 768");
  request = Raw(1);
  request.mutable_inputs(0)->set_shape(0, std::int64_t{1} << 40);
  ExpectRefused(request, "input 'x'");
  request = Raw(1);
  request.mutable_inputs(0)->set_shape(0, -1);
  ExpectRefused(request, "found a dimension of -1");
  request = Raw(1);
  request.mutable_inputs(0)->set_shape(1, 1);
  request.mutable_inputs(0)->set_shape(0, 3);
  ExpectRefused(request, "input 'x': found FP32 3x1x8x8, expected FP32 ?x3x8x8");
  request = Raw(1);
  request.mutable_inputs(0)->set_datatype("INT32");
  ExpectRefused(request, "found INT32 1x3x8x8, expected FP32 ?x3x8x8");
  request = Raw(1);
  request.mutable_inputs(0)->set_datatype("BYTES");
  ExpectRefused(request, "input 'x': found BYTES 1x3x8x8, expected FP32 ?x3x8x8");
  request = Raw(1);
  request.mutable_inputs(0)->set_name("image");
  ExpectRefused(request, "found an input 'image', expected 'x'");
  request = Raw(1);
  request.clear_inputs();
  ExpectRefused(request, "found 1 raw contents for 0 inputs");
  request = Raw(1);
  request.clear_raw_input_contents();
  ExpectRefused(request, "input 'x': found 0 elements");
  request = Raw(1);
  request.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  ExpectRefused(request, "found raw and typed contents");
  request = Raw(1);
  request.add_outputs()->set_name("logits");
  ExpectRefused(request, "found an output 'logits', expected of 'y'");
}

TEST_F(OipClientTest, AMessageOverTheLimitNamesBothSizes) {
  const grpc::Status status = Infer(Raw(100));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr(std::to_string(Raw(100).ByteSizeLong())));
  EXPECT_THAT(status.error_message(), HasSubstr("65536"));
  EXPECT_TRUE(Infer(Raw(1)).ok());
}

// Sends one message to a method and returns the first that comes back.
std::string Exchange(grpc::Channel& channel, const std::string& method, const std::string& bytes) {
  grpc::GenericStub stub(std::shared_ptr<grpc::Channel>(&channel, [](grpc::Channel*) {}));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  grpc::CompletionQueue queue;
  const auto next = [&] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  EXPECT_TRUE(next());
  const grpc::Slice slice(bytes);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
  EXPECT_TRUE(next());
  grpc::ByteBuffer response;
  call->Read(&response, nullptr);
  EXPECT_TRUE(next()) << method;
  grpc::Status status;
  call->Finish(&status, nullptr);
  EXPECT_TRUE(next());
  EXPECT_TRUE(status.ok()) << status.error_message();
  grpc::Slice all;
  if (!response.Valid() || !response.DumpToSingleSlice(&all).ok()) return "";
  return {reinterpret_cast<const char*>(all.begin()), all.size()};
}

TEST_F(OipClientTest, HealthIsServing) {
  const std::string serving("\x08\x01");  // HealthCheckResponse{status: SERVING}
  EXPECT_EQ(Exchange(*channel_, "/grpc.health.v1.Health/Check", ""), serving);
  const std::string service = "inference.GRPCInferenceService";
  EXPECT_EQ(Exchange(*channel_, "/grpc.health.v1.Health/Check",
                     std::string("\x0a") + static_cast<char>(service.size()) + service),
            serving);
}

TEST_F(OipClientTest, ReflectionListsTheServicesAndTellsTheirFiles) {
  const std::string method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  const std::string services = Exchange(*channel_, method, std::string("\x3a\x01*"));
  EXPECT_THAT(services, HasSubstr("inference.GRPCInferenceService"));
  EXPECT_THAT(services, HasSubstr("cleave.v1.Edge"));
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
  const std::string symbol = "inference.GRPCInferenceService";
  EXPECT_THAT(
      Exchange(*channel_, method, std::string("\x22") + static_cast<char>(symbol.size()) + symbol),
      HasSubstr("open_inference_grpc.proto"));
}

TEST_F(OipClientTest, StringsAreSentAndAnsweredInKind) {
  const TempDir folder;
  const std::string model =
      folder.Write("category.onnx", cleave::testing::CategoryModel().SerializeAsString());
  const ServeProcess server({model, "--listen", "127.0.0.1:0"});
  ASSERT_FALSE(server.target().empty()) << server.errors();
  stub_ =
      Service::NewStub(grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials()));
  inference::ModelMetadataRequest about;
  about.set_name("category");
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(stub_->ModelMetadata(&context_, about, &metadata).ok());
  EXPECT_EQ(metadata.inputs(0).datatype(), "BYTES");
  EXPECT_EQ(metadata.outputs(0).datatype(), "BYTES");

  inference::ModelInferRequest request;
  request.set_model_name("category");
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.add_shape(2);
  inference::ModelInferRequest raw = request;
  raw.add_raw_input_contents(std::string("\3\0\0\0red\5\0\0\0small", 16));
  for (const char* text : {"red", "small"}) {
    request.mutable_inputs(0)->mutable_contents()->add_bytes_contents(text);
  }
  ASSERT_TRUE(Infer(request).ok());
  EXPECT_EQ(response_.raw_output_contents_size(), 0);
  ASSERT_EQ(response_.outputs(0).contents().bytes_contents_size(), 1);
  const std::string label = response_.outputs(0).contents().bytes_contents(0);
  EXPECT_THAT(label, ::testing::AnyOf("stop", "go", "wait"));
  ASSERT_TRUE(Infer(raw).ok());
  EXPECT_EQ(response_.outputs(0).datatype(), "BYTES");
  ASSERT_EQ(response_.raw_output_contents_size(), 2);
  EXPECT_EQ(response_.raw_output_contents(0),
            std::string(1, static_cast<char>(label.size())) + std::string(3, '\0') + label);

  inference::ModelInferRequest wrong = request;
  wrong.mutable_inputs(0)->mutable_contents()->set_bytes_contents(0, "mauve");
  EXPECT_EQ(Infer(wrong).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  wrong = raw;
  wrong.set_raw_input_contents(0, std::string("\3\0\0\0red\6\0\0\0small", 16));
  const grpc::Status cut_off = Infer(wrong);
  EXPECT_EQ(cut_off.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(cut_off.error_message(), HasSubstr("element 1: found 5 bytes"));
  EXPECT_TRUE(Infer(raw).ok());
}

// A client that knows nothing of exits gets them all.
TEST_F(OipClientTest, AModelWithEarlyExitsIsAModelOfSeveralOutputs) {
  const ServeProcess server({CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx", "--listen", "127.0.0.1:0"});
  ASSERT_FALSE(server.target().empty()) << server.errors();
  stub_ =
      Service::NewStub(grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials()));
  inference::ModelMetadataRequest about;
  about.set_name("alexnet_cifar10");
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(stub_->ModelMetadata(&context_, about, &metadata).ok());
  ASSERT_EQ(metadata.outputs_size(), 5);

  inference::ModelInferRequest request;
  request.set_model_name("alexnet_cifar10");
  auto& input = *request.add_inputs();
  input.set_name(metadata.inputs(0).name());
  input.set_datatype("FP32");
  for (const int dim : {2, 3, 32, 32}) input.add_shape(dim);
  std::vector<float> values(2 * 3 * 32 * 32);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13) / 6 - 1;
  request.add_raw_input_contents(values.data(), values.size() * sizeof(float));
  const grpc::Status status = Infer(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const inference::ModelInferResponse all = response_;
  ASSERT_EQ(all.outputs_size(), 5);
  ASSERT_EQ(all.raw_output_contents_size(), 5);
  for (int exit = 0; exit < 5; ++exit) {
    EXPECT_EQ(all.outputs(exit).name(), "exit" + std::to_string(exit + 1));
    EXPECT_EQ(all.outputs(exit).name(), metadata.outputs(exit).name());
    EXPECT_THAT(all.outputs(exit).shape(), ::testing::ElementsAre(2, 10));
    request.clear_outputs();
    request.add_outputs()->set_name(all.outputs(exit).name());
    ASSERT_TRUE(Infer(request).ok());
    ASSERT_EQ(response_.outputs_size(), 1);
    EXPECT_EQ(response_.outputs(0).name(), all.outputs(exit).name());
    EXPECT_EQ(response_.raw_output_contents(0), all.raw_output_contents(exit));
    for (int other = 0; other < exit; ++other) {
      EXPECT_NE(all.raw_output_contents(exit), all.raw_output_contents(other));
    }
  }
}

}  // namespace
