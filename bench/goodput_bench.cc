// Measures how many answers per second an edge gives in time when it is asked for more than it can
// do.
//
// It starts `cleave serve` with one worker and a model of about 12 ms, measures how many requests
// per second it can answer, and then sends 0.9, 2 and 4 times as many, whatever happens to earlier
// ones (an open loop), each with a deadline of 200 ms. The output is one JSON object: for each
// load, how many requests per second were sent, answered in time (the goodput), refused, and
// neither.
//
// Usage: goodput_bench [SECONDS]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "support/serve_process.h"
#include "support/tiny_models.h"
#include "wire/client.h"

namespace {

using cleave::Clock;
using cleave::EdgeClient;
using cleave::Median;
using cleave::testing::AddNode;

constexpr double kRunUs = 12'000;
constexpr std::int64_t kDeadlineUs = 200'000;
constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr int kFirstProducts = 8;
constexpr int kProbes = 41;
// There are more threads than requests can be in flight at once.
constexpr int kThreads = 256;
constexpr std::int64_t kSide = 256;

// Returns a model that multiplies x [256,1] by its transpose, multiplies the product by itself
// `products` times, and takes the mean: it is much work with little to send.
std::string ProductModel(int products) {
  onnx::ModelProto model = cleave::testing::EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  cleave::testing::Describe("x", {kSide, 1}, *graph.add_input());
  cleave::testing::Describe("y", {1, 1}, *graph.add_output());
  AddNode(graph, "Transpose", {"x"}, "row");
  AddNode(graph, "MatMul", {"x", "row"}, "square");
  std::string last = "square";
  for (int i = 0; i < products; ++i) {
    const std::string next = "product" + std::to_string(i);
    AddNode(graph, "MatMul", {last, "square"}, next);
    last = next;
  }
  AddNode(graph, "ReduceMean", {last}, "y");
  return model.SerializeAsString();
}

cleave::InferCall Call() {
  cleave::InferCall call;
  call.model = "product";
  call.inputs = {{"x", cleave::Tensor::Zeros(cleave::DataType::kFloat32, {kSide, 1}).value()}};
  return call;
}

// Runs `cleave serve` with such a model.
class Server {
 public:
  explicit Server(int products)
      : process_({folder_.Write("product.onnx", ProductModel(products)), "--listen", "127.0.0.1:0",
                  "--queue", "1000"}) {
    if (process_.target().empty()) {
      std::cerr << process_.errors();
      std::exit(1);
    }
    cleave::ClientOptions options;
    options.target = process_.target();
    client_ = EdgeClient::Create(options).value();
  }

  EdgeClient& client() { return *client_; }

  // Returns the median time from sending a request to having its answer, for requests one after the
  // other.
  double MedianUs() {
    std::vector<double> times;
    for (int i = 0; i < kProbes; ++i) {
      const std::int64_t start_us = Clock::Steady().NowUs();
      if (const auto done = client_->Infer(Call(), kMinuteUs); !done.ok()) {
        std::cerr << done.status() << "\n";
        std::exit(1);
      }
      times.push_back(static_cast<double>(Clock::Steady().NowUs() - start_us));
    }
    return Median(std::move(times));
  }

 private:
  cleave::testing::TempDir folder_;
  cleave::testing::ServeProcess process_;
  std::unique_ptr<EdgeClient> client_;
};

nlohmann::json AtRate(EdgeClient& client, double per_second, double seconds) {
  const auto requests = static_cast<int>(per_second * seconds);
  const auto start = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  std::atomic<int> next = 0;
  std::atomic<int> in_time = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = next++; i < requests; i = next++) {
        std::this_thread::sleep_until(start + std::chrono::duration<double>(i / per_second));
        const auto done = client.Infer(Call(), kDeadlineUs);
        if (done.ok()) ++in_time;
        if (cleave::GetExpectedWait(done.status())) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return {{"sent_per_s", per_second},
          {"goodput_per_s", in_time / seconds},
          {"refused_per_s", refused / seconds},
          {"late_per_s", (requests - in_time - refused) / seconds}};
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 10;
  if (argc > 1 && (!absl::SimpleAtod(argv[1], &seconds) || !(seconds > 0))) {
    std::cerr << "usage: goodput_bench [SECONDS]\n";
    return 2;
  }
  const double product_us = Server(kFirstProducts).MedianUs() / kFirstProducts;
  Server server(std::max(1, static_cast<int>(kRunUs / product_us)));
  const double run_us = server.MedianUs();
  nlohmann::json result = {{"run_ms", run_us / 1000},
                           {"deadline_ms", kDeadlineUs / 1000},
                           {"capacity_per_s", 1e6 / run_us}};
  for (const double load : {0.9, 2.0, 4.0}) {
    result["loads"].push_back(AtRate(server.client(), load * 1e6 / run_us, seconds));
    result["loads"].back()["load"] = load;
  }
  std::cout << result.dump(2) << std::endl;
  return 0;
}
