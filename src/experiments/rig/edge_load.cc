#include "experiments/rig/edge_load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "experiments/dsc/results.h"
#include "model/graph.h"
#include "runtime/chain.h"
#include "wire/client.h"

namespace cleave::experiments::rig {
namespace {

constexpr int kProbes = 7;
constexpr int kClients = 8;
constexpr double kGain = 0.05;
constexpr std::int64_t kTimeoutUs = 10'000'000;
constexpr std::int64_t kLongestNapUs = 50'000;

class EdgeLoadImpl final : public EdgeLoad {
 public:
  EdgeLoadImpl(std::unique_ptr<EdgeClient> client, InferCall call)
      : client_(std::move(client)), call_(std::move(call)) {}
  ~EdgeLoadImpl() override { Stop(); }

  absl::Status MeasureService() {
    std::vector<double> times_us;
    for (int i = 0; i < kProbes; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const InferExchange done, client_->Infer(call_, kTimeoutUs));
      times_us.push_back(static_cast<double>(done.reply.compute_us));
    }
    service_us_ = std::max(1.0, Median(std::move(times_us)));
    return absl::OkStatus();
  }

  // Independent clients with the same rate add up to one Poisson process; one that is still waiting
  // when its next request is due sends it late, which eight of them make rare.
  void Run(double utilization, std::uint64_t seed) {
    start_us_ = Clock::Steady().NowUs();
    for (int i = 0; i < kClients; ++i) {
      clients_.emplace_back(
          [this, utilization, seed, i] { Client(utilization, seed * kClients + i); });
    }
  }

  double Stop() override {
    if (clients_.empty()) return share_;
    stopped_ = true;
    for (std::thread& client : clients_) client.join();
    clients_.clear();
    share_ = static_cast<double>(occupied_us_) /
             static_cast<double>(std::max<std::int64_t>(1, Clock::Steady().NowUs() - start_us_));
    return share_;
  }

 private:
  void Client(double utilization, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::exponential_distribution<double> gap(1);
    auto due_us = static_cast<double>(Clock::Steady().NowUs());
    while (!stopped_) {
      due_us += gap(random) * kClients * service_us_ / utilization;
      while (!stopped_ && static_cast<double>(Clock::Steady().NowUs()) < due_us) {
        const double left_us = due_us - static_cast<double>(Clock::Steady().NowUs());
        std::this_thread::sleep_for(std::chrono::microseconds(
            std::clamp<std::int64_t>(static_cast<std::int64_t>(left_us), 0, kLongestNapUs)));
      }
      if (stopped_) return;
      const auto done = client_->Infer(call_, kTimeoutUs);
      if (!done.ok()) continue;
      occupied_us_ += done->reply.compute_us;
      // The edge may be slower or faster now than when it was asked first.
      service_us_ = (1 - kGain) * service_us_ + kGain * static_cast<double>(done->reply.compute_us);
    }
  }

  const std::unique_ptr<EdgeClient> client_;
  const InferCall call_;
  std::atomic<double> service_us_ = 1;
  std::int64_t start_us_ = 0;
  double share_ = 0;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::int64_t> occupied_us_ = 0;
  std::vector<std::thread> clients_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EdgeLoad>> EdgeLoad::Start(const LoadOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options.model));
  InferCall call;
  call.model = graph->name();
  call.id = "load";
  CLEAVE_ASSIGN_OR_RETURN(call.inputs, RandomInputs(*graph, 1, options.seed));
  CLEAVE_ASSIGN_OR_RETURN(auto client, EdgeClient::Create({.target = options.edge}));
  auto load = std::make_unique<EdgeLoadImpl>(std::move(client), std::move(call));
  CLEAVE_RETURN_IF_ERROR(load->MeasureService());
  load->Run(options.utilization, options.seed);
  return load;
}

}  // namespace cleave::experiments::rig
