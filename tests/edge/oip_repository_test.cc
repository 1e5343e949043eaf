// A plain client of the Open Inference Protocol that manages models, against the real program:
// generated from the public proto alone, no code of cleave is linked.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "open_inference_grpc.grpc.pb.h"
#include "support/serve_process.h"
#include "support/tiny_models.h"

namespace {

using cleave::testing::PoolModel;
using cleave::testing::ServeProcess;
using cleave::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Service = inference::GRPCInferenceService;

// PoolModel with another factor than 2.
std::string PoolModelTimes(float factor) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(PoolModel()));
  model.mutable_graph()->mutable_initializer(0)->set_float_data(0, factor);
  return model.SerializeAsString();
}

class OipRepositoryTest : public ::testing::Test {
 protected:
  static constexpr char kAdmin[] = "admin-token";
  static constexpr char kOther[] = "infer-token";

  void Start() {
    // The SHA-256 of the two tokens.
    const std::string list = folder_.Write(
        "list",
        "operator admin 10a4c7c9fc5206d6f36dc6944a81bb6f4a3cb0e25014ae3b12e6c3e52712292a\n"
        "camera infer e76649ca493cb83eb42c5b94c9c205186b8d46efe451bd13b2684f698bff6fd2\n");
    ASSERT_EQ(chmod(list.c_str(), 0600), 0);
    server_ = std::make_unique<ServeProcess>(std::vector<std::string>{
        folder_.path() + "/models", "--listen", "127.0.0.1:0", "--token-file", list});
    ASSERT_FALSE(server_->target().empty()) << server_->errors();
    stub_ = Service::NewStub(
        grpc::CreateChannel(server_->target(), grpc::InsecureChannelCredentials()));
  }

  void Write(const std::string& name, const std::string& model) const {
    folder_.Write("models/" + name, model);
  }

  // In one step, as whoever replaces a file that is in use should.
  void Replace(const std::string& name, const std::string& model) const {
    Write(name + ".part", model);
    std::filesystem::rename(folder_.path() + "/models/" + name + ".part",
                            folder_.path() + "/models/" + name);
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Response*),
                    const Request& request, Response& response, const char* token = kAdmin) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    context.AddMetadata("authorization", std::string("Bearer ") + token);
    return (stub_.get()->*method)(&context, request, &response);
  }

  // The mean of ones, times the model's factor; a negative number: it was not answered.
  float Factor(const std::string& model) {
    inference::ModelInferRequest request;
    request.set_model_name(model);
    auto& input = *request.add_inputs();
    input.set_name("x");
    input.set_datatype("FP32");
    for (const int dim : {1, 3, 8, 8}) input.add_shape(dim);
    const std::vector<float> ones(192, 1.0F);
    request.add_raw_input_contents(ones.data(), ones.size() * sizeof(float));
    inference::ModelInferResponse response;
    status_ = Call(&Service::Stub::ModelInfer, request, response, kOther);
    float factor = -1;
    if (status_.ok()) std::memcpy(&factor, response.raw_output_contents(0).data(), sizeof(factor));
    return factor;
  }

  // Each model's state, and behind a colon its reason.
  std::map<std::string, std::string> Index(bool ready = false) {
    inference::RepositoryIndexRequest request;
    request.set_ready(ready);
    inference::RepositoryIndexResponse response;
    EXPECT_TRUE(Call(&Service::Stub::RepositoryIndex, request, response, kOther).ok());
    std::map<std::string, std::string> index;
    for (const auto& model : response.models()) {
      index[model.name()] =
          model.reason().empty() ? model.state() : model.state() + ": " + model.reason();
    }
    return index;
  }

  grpc::Status Load(const std::string& name, const char* token = kAdmin) {
    inference::RepositoryModelLoadRequest request;
    request.set_model_name(name);
    inference::RepositoryModelLoadResponse response;
    return Call(&Service::Stub::RepositoryModelLoad, request, response, token);
  }
  grpc::Status Unload(const std::string& name, const char* token = kAdmin) {
    inference::RepositoryModelUnloadRequest request;
    request.set_model_name(name);
    inference::RepositoryModelUnloadResponse response;
    return Call(&Service::Stub::RepositoryModelUnload, request, response, token);
  }

  const TempDir folder_;
  std::unique_ptr<ServeProcess> server_;
  std::unique_ptr<Service::Stub> stub_;
  grpc::Status status_;
};

TEST_F(OipRepositoryTest, AFolderInTritonsLayoutIsServedByItsNewestVersion) {
  Write("flat.onnx", PoolModelTimes(3));
  Write("deep/1/model.onnx", PoolModelTimes(4));
  Write("deep/10/model.onnx", PoolModelTimes(5));
  Write("deep/9/model.onnx", PoolModelTimes(6));
  Write("deep/config.pbtxt", "name: \"deep\"");
  Write("empty/1/readme", "no model");
  Start();
  EXPECT_EQ(Factor("flat"), 3);
  EXPECT_EQ(Factor("deep"), 5);
  const auto index = Index();
  EXPECT_EQ(index, (std::map<std::string, std::string>{{"deep", "READY"}, {"flat", "READY"}}));
}

TEST_F(OipRepositoryTest, AReplacedFileIsTakenUpWithNoRequestLost) {
  Write("pool.onnx", PoolModelTimes(2));
  Start();
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::string> problems;
  std::vector<float> seen;
  std::thread client([&] {
    while (!stop) {
      const float factor = Factor("pool");
      if (!status_.ok()) problems.push_back(status_.error_message());
      if (seen.empty() || seen.back() != factor) seen.push_back(factor);
      ++answered;
    }
  });
  while (answered < 20) std::this_thread::yield();
  Replace("pool.onnx", PoolModelTimes(7));
  // Until it is asked for, nothing changes.
  const int before = answered;
  while (answered < before + 20) std::this_thread::yield();
  const grpc::Status loaded = Load("pool");
  EXPECT_TRUE(loaded.ok()) << loaded.error_message();
  const int after = answered;
  while (answered < after + 20) std::this_thread::yield();
  stop = true;
  client.join();
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_THAT(seen, ElementsAre(2, 7));
}

TEST_F(OipRepositoryTest, AFileThatDoesNotLoadChangesNothing) {
  Write("pool.onnx", PoolModelTimes(2));
  Start();
  Replace("pool.onnx", PoolModel().substr(0, 50));
  const grpc::Status loaded = Load("pool");
  EXPECT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error_message(), HasSubstr("pool.onnx"));
  EXPECT_THAT(loaded.error_message(), Not(HasSubstr(folder_.path())));
  EXPECT_EQ(Factor("pool"), 2);
}

TEST_F(OipRepositoryTest, ModelsAreUnloadedLoadedAndFound) {
  Write("one.onnx", PoolModelTimes(2));
  Write("two.onnx", PoolModelTimes(3));
  Start();
  Write("late/1/model.onnx", PoolModelTimes(4));
  EXPECT_EQ(Index()["late"], "UNAVAILABLE: it was not loaded");
  EXPECT_TRUE(Load("late").ok());
  EXPECT_EQ(Factor("late"), 4);
  EXPECT_TRUE(Unload("one").ok());
  EXPECT_EQ(Factor("one"), -1);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status_.error_message(), HasSubstr("it was unloaded"));
  EXPECT_EQ(Index()["one"], "UNAVAILABLE: it was unloaded");
  EXPECT_EQ(Index(true), (std::map<std::string, std::string>{{"late", "READY"}, {"two", "READY"}}));
  EXPECT_EQ(Factor("two"), 3);
  EXPECT_EQ(Unload("one").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Unload("none").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Load("none").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Load("../two").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(Load("one").ok());
  EXPECT_EQ(Factor("one"), 2);
}

TEST_F(OipRepositoryTest, OnlyAdminsChangeTheRepository) {
  Write("pool.onnx", PoolModelTimes(2));
  Start();
  EXPECT_EQ(Load("pool", kOther).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Unload("pool", kOther).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Unload("pool", "wrong").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Factor("pool"), 2);
}

TEST_F(OipRepositoryTest, TheConfigurationIsThatOfTheModel) {
  Write("pool.onnx", PoolModel());
  Start();
  inference::ModelConfigRequest request;
  request.set_name("pool");
  inference::ModelConfigResponse response;
  ASSERT_TRUE(Call(&Service::Stub::ModelConfig, request, response, kOther).ok());
  const inference::ModelConfig& config = response.config();
  EXPECT_EQ(config.name(), "pool");
  EXPECT_EQ(config.platform(), "onnxruntime_onnx");
  EXPECT_EQ(config.max_batch_size(), 0);
  ASSERT_EQ(config.input_size(), 1);
  EXPECT_EQ(config.input(0).name(), "x");
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(-1, 3, 8, 8));
  ASSERT_EQ(config.output_size(), 1);
  EXPECT_EQ(config.output(0).name(), "y");
  EXPECT_THAT(config.output(0).dims(), ElementsAre(-1, 3, 1, 1));
  request.set_version("2");
  EXPECT_EQ(Call(&Service::Stub::ModelConfig, request, response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(OipRepositoryTest, StatisticsCountWhatWasAnsweredAndWhatFailed) {
  Write("one.onnx", PoolModelTimes(2));
  Write("two.onnx", PoolModelTimes(3));
  Start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Factor("one"), 2);
  inference::ModelInferRequest wrong;
  wrong.set_model_name("one");
  inference::ModelInferResponse nothing;
  EXPECT_FALSE(Call(&Service::Stub::ModelInfer, wrong, nothing).ok());
  inference::ModelStatisticsRequest request;
  inference::ModelStatisticsResponse response;
  ASSERT_TRUE(Call(&Service::Stub::ModelStatistics, request, response, kOther).ok());
  ASSERT_EQ(response.model_stats_size(), 2);
  const inference::ModelStatistics& one = response.model_stats(0);
  EXPECT_EQ(one.name(), "one");
  EXPECT_EQ(one.inference_count(), 3U);
  EXPECT_EQ(one.execution_count(), 3U);
  EXPECT_GT(one.last_inference(), 1'600'000'000'000U);
  EXPECT_EQ(one.inference_stats().success().count(), 3U);
  EXPECT_EQ(one.inference_stats().fail().count(), 1U);
  EXPECT_EQ(one.inference_stats().compute_infer().count(), 3U);
  EXPECT_GT(one.inference_stats().compute_infer().ns(), 0U);
  EXPECT_GE(one.inference_stats().success().ns(), one.inference_stats().compute_infer().ns());
  EXPECT_EQ(response.model_stats(1).name(), "two");
  EXPECT_EQ(response.model_stats(1).inference_count(), 0U);
  request.set_name("two");
  ASSERT_TRUE(Call(&Service::Stub::ModelStatistics, request, response).ok());
  ASSERT_EQ(response.model_stats_size(), 1);
  EXPECT_EQ(response.model_stats(0).name(), "two");
  request.set_name("none");
  EXPECT_EQ(Call(&Service::Stub::ModelStatistics, request, response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

}  // namespace
