// Measures what cleave's wire and edge add to one inference, against a bare gRPC call with the same
// message.
//
// One process holds an Edge with a model that takes 1x3x224x224 in fp32 (602 KB) and returns
// little, and a synchronous gRPC server that answers the same ModelInferRequest with a response of
// the same size. Calls alternate; the figure is the median over pairs of (our round trip - the run
// itself) / (the bare call). Ours includes making the message from tensors and tensors from the
// answer; the bare call starts from a finished message. The output is one JSON object.
//
// Usage: loopback_bench [PAIRS]
#include <grpcpp/grpcpp.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cleave/edge.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "open_inference_grpc.grpc.pb.h"
#include "wire/channel.h"
#include "wire/client.h"
#include "wire/convert.h"

namespace {

using cleave::Clock;
using cleave::Median;

constexpr std::int64_t kTimeoutUs = 10'000'000;
constexpr std::int64_t kMaxMessageBytes = 64 << 20;

void Describe(const std::string& name, const std::vector<std::int64_t>& shape,
              onnx::ValueInfoProto& out) {
  out.set_name(name);
  auto& tensor = *out.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : shape) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
}

std::string PoolingModel() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("pooling");
  Describe("x", {1, 3, 224, 224}, *graph.add_input());
  Describe("y", {1, 3, 1, 1}, *graph.add_output());
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type("GlobalAveragePool");
  node.add_input("x");
  node.add_output("y");
  return model.SerializeAsString();
}

class EchoService final : public inference::GRPCInferenceService::Service {
 public:
  explicit EchoService(inference::ModelInferResponse answer) : answer_(std::move(answer)) {}
  grpc::Status ModelInfer(grpc::ServerContext* /*context*/,
                          const inference::ModelInferRequest* /*request*/,
                          inference::ModelInferResponse* response) override {
    *response = answer_;
    return grpc::Status::OK;
  }

 private:
  const inference::ModelInferResponse answer_;
};

// A bare server and a client of it.
class Echo {
 public:
  enum class Transport { kOurSettings, kGrpcDefaults };

  Echo(const inference::ModelInferResponse& answer, Transport transport) : service_(answer) {
    const bool our_settings = transport == Transport::kOurSettings;
    grpc::ServerBuilder builder;
    int port = 0;
    if (our_settings) {
      cleave::ConfigureServer(builder, {.max_message_bytes = kMaxMessageBytes,
                                        .memory_bytes = 16 * kMaxMessageBytes,
                                        .streams_of_connection = 256,
                                        .idle_timeout_us = kTimeoutUs});
    }
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    const std::string target = absl::StrCat("127.0.0.1:", port);
    stub_ = inference::GRPCInferenceService::NewStub(
        our_settings ? cleave::MakeChannel(target, grpc::InsecureChannelCredentials(),
                                           kMaxMessageBytes, kTimeoutUs)
                     : grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
  }

  double CallUs(const inference::ModelInferRequest& request) {
    const std::int64_t start_us = Clock::Steady().NowUs();
    grpc::ClientContext context;
    inference::ModelInferResponse response;
    const grpc::Status status = stub_->ModelInfer(&context, request, &response);
    if (!status.ok()) {
      std::cerr << "echo: " << status.error_message() << "\n";
      std::exit(1);
    }
    return static_cast<double>(Clock::Steady().NowUs() - start_us);
  }

 private:
  EchoService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

struct Ours {
  double round_trip_us = 0;
  double overhead_us = 0;
  cleave::InferReply reply;
};

Ours CallOurs(cleave::EdgeClient& client, const cleave::InferCall& call) {
  const std::int64_t start_us = Clock::Steady().NowUs();
  absl::StatusOr<cleave::InferExchange> done = client.Infer(call, kTimeoutUs);
  const std::int64_t end_us = Clock::Steady().NowUs();
  if (!done.ok()) {
    std::cerr << "edge: " << done.status() << "\n";
    std::exit(1);
  }
  Ours ours;
  ours.round_trip_us = static_cast<double>(end_us - start_us);
  ours.overhead_us = ours.round_trip_us - static_cast<double>(done->reply.compute_us);
  ours.reply = std::move(done->reply);
  return ours;
}

std::unique_ptr<cleave::Edge> StartEdge(const std::string& folder) {
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/pooling.onnx";
  std::ofstream(path, std::ios::binary) << PoolingModel();
  cleave::EdgeOptions options;
  options.models = {path};
  options.listen = "127.0.0.1:0";
  absl::StatusOr<std::unique_ptr<cleave::Edge>> edge = cleave::Edge::Start(options);
  std::filesystem::remove_all(folder);
  if (!edge.ok()) {
    std::cerr << edge.status() << "\n";
    std::exit(1);
  }
  return *std::move(edge);
}

}  // namespace

int main(int argc, char** argv) {
  int pairs = 1000;
  if (argc > 1 && (!absl::SimpleAtoi(argv[1], &pairs) || pairs < 10)) {
    std::cerr << "usage: loopback_bench [PAIRS], at least 10\n";
    return 2;
  }
  const std::string folder = absl::StrCat(std::filesystem::temp_directory_path().string(),
                                          "/cleave_loopback_", Clock::Steady().NowUs());
  const std::unique_ptr<cleave::Edge> edge = StartEdge(folder);
  cleave::ClientOptions client_options;
  client_options.target = absl::StrCat("127.0.0.1:", edge->port());
  const std::unique_ptr<cleave::EdgeClient> client =
      cleave::EdgeClient::Create(client_options).value();

  cleave::InferCall call;
  call.model = "pooling";
  call.cut = 0;
  call.inputs = {{"x", cleave::Tensor::FromFloats(
                           {1, 3, 224, 224}, std::vector<float>(std::size_t{3} * 224 * 224, 0.5F))
                           .value()}};
  inference::ModelInferRequest request = cleave::ToRequestHead(call);
  request.add_raw_input_contents(std::string(call.inputs[0].tensor.bytes()));

  const cleave::InferReply reply = CallOurs(*client, call).reply;
  inference::ModelInferResponse answer = cleave::ToResponseHead(reply);
  for (const cleave::NamedTensor& output : reply.outputs) {
    answer.add_raw_output_contents(std::string(output.tensor.bytes()));
  }
  Echo same(answer, Echo::Transport::kOurSettings);
  Echo plain(answer, Echo::Transport::kGrpcDefaults);

  std::vector<double> ratios;
  std::vector<double> ratios_plain;
  std::vector<double> ours_us;
  std::vector<double> run_us;
  std::vector<double> same_us;
  std::vector<double> plain_us;
  for (int i = -100; i < pairs; ++i) {
    const Ours ours = CallOurs(*client, call);
    const double with_settings_us = same.CallUs(request);
    const double without_us = plain.CallUs(request);
    if (i < 0) continue;
    ours_us.push_back(ours.overhead_us);
    run_us.push_back(ours.round_trip_us - ours.overhead_us);
    same_us.push_back(with_settings_us);
    plain_us.push_back(without_us);
    ratios.push_back(ours.overhead_us / with_settings_us);
    ratios_plain.push_back(ours.overhead_us / without_us);
  }
  const nlohmann::json result = {
      {"pairs", pairs},
      {"request_bytes", request.ByteSizeLong()},
      {"response_bytes", answer.ByteSizeLong()},
      {"overhead_us_median", Median(ours_us)},
      {"run_us_median", Median(run_us)},
      {"echo_us_median", Median(same_us)},
      {"echo_default_settings_us_median", Median(plain_us)},
      {"ratio_median", Median(ratios)},
      {"ratio_default_settings_median", Median(ratios_plain)},
  };
  std::cout << result.dump(2) << "\n";
  edge->Shutdown();
  return 0;
}
