#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/file.h"
#include "e2e/processes.h"
#include "support/tiny_models.h"
#include "wire/client.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::Json;
using testing::kLong;
using testing::PoolModel;

NamedTensor Ones(std::int64_t batch) {
  return {"x", Tensor::FromFloats({batch, 3, 8, 8},
                                  std::vector<float>(static_cast<std::size_t>(batch) * 192, 1.0F))
                   .value()};
}

// What a scrape says: the value of each series by its name and labels.
class Scrape {
 public:
  explicit Scrape(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line[0] == '#') continue;
      const std::size_t blank = line.rfind(' ');
      double value = 0;
      EXPECT_TRUE(absl::SimpleAtod(line.substr(blank + 1), &value)) << line;
      EXPECT_TRUE(values_.emplace(line.substr(0, blank), value).second) << line;
    }
  }

  // Of all series of this name that have all of these labels ("code=\"OK\"").
  double Sum(const std::string& name, const std::vector<std::string>& labels = {}) const {
    double sum = 0;
    for (const auto& [series, value] : values_) {
      const bool named = series == name || absl::StartsWith(series, name + "{");
      const bool labelled = std::all_of(
          labels.begin(), labels.end(),
          [&, &in = series](const auto& label) { return absl::StrContains(in, label); });
      if (named && labelled) sum += value;
    }
    return sum;
  }
  std::size_t size() const { return values_.size(); }

 private:
  std::map<std::string, double> values_;
};

class MetricsTest : public testing::ProcessTest {
 protected:
  // The address after "metrics on http://" in a line.
  static std::string AddressIn(const std::string& line) {
    const std::string prefix = "http://";
    const std::size_t begin = line.find(prefix) + prefix.size();
    return line.substr(begin, line.find('/', begin) - begin);
  }

  static std::unique_ptr<httplib::Client> HttpOf(const std::string& address) {
    return std::make_unique<httplib::Client>("http://" + address);
  }

  std::string ErrorLine(int process, const std::string& begin) const {
    for (int i = 0; i < 400; ++i) {
      std::ifstream file(StderrPath(process));
      for (std::string line; std::getline(file, line);) {
        if (absl::StartsWith(line, begin)) return line;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << "never said " << begin;
    return "";
  }

  static std::unique_ptr<EdgeClient> ClientOf(const std::string& target) {
    ClientOptions options;
    options.target = target;
    return EdgeClient::Create(options).value();
  }
};

struct Counts {
  std::map<absl::StatusCode, int> by_code;
  int calls = 0;
  int refused = 0;
};

// What one client does, some of which cannot be answered.
Counts Work(EdgeClient& client, int rounds) {
  Counts counts;
  const auto note = [&counts](const absl::Status& status) {
    ++counts.calls;
    ++counts.by_code[status.code()];
    if (GetExpectedWait(status)) ++counts.refused;
  };
  for (int i = 0; i < rounds; ++i) {
    InferCall call;
    call.model = "pool";
    call.inputs = {Ones(1 + i % 4)};
    note(client.Infer(call, kLong).status());
    InferCall unknown = call;
    unknown.model = absl::StrCat("hostile", i);
    note(client.Infer(unknown, kLong).status());
    InferCall wrong = call;
    wrong.cut = 1000 + i;
    note(client.Infer(wrong, kLong).status());
  }
  return counts;
}

TEST_F(MetricsTest, AScrapeUnderLoadAgreesWithWhatTheClientsCounted) {
  const std::string model = folder_.Write("pool.onnx", PoolModel());
  const auto [edge, target] =
      Serve(model, "127.0.0.1:0", {"--metrics", "127.0.0.1:0", "--queue", "1"});
  const std::string address = AddressIn(edge->WaitForLine("metrics on ", kLong).value());
  const auto http = HttpOf(address);
  EXPECT_EQ(http->Get("/healthz")->status, 200);
  EXPECT_EQ(http->Get("/readyz")->status, 200);

  constexpr int kClients = 4;
  constexpr int kRounds = 50;
  Counts all;
  std::mutex mutex;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, to = target] {
      const auto client = ClientOf(to);
      const Counts counts = Work(*client, kRounds);
      const std::lock_guard lock(mutex);
      for (const auto& [code, count] : counts.by_code) all.by_code[code] += count;
      all.calls += counts.calls;
      all.refused += counts.refused;
    });
  }
  // Scrapes while they work disturb nothing.
  for (int i = 0; i < 10; ++i) EXPECT_EQ(HttpOf(address)->Get("/metrics")->status, 200);
  for (std::thread& client : clients) client.join();

  const auto response = http->Get("/metrics");
  ASSERT_TRUE(response);
  const Scrape scrape(response->body);
  EXPECT_EQ(all.calls, kClients * kRounds * 3);
  EXPECT_GT(all.by_code[absl::StatusCode::kOk], 0);
  for (const auto& [code, count] : all.by_code) {
    const std::string label = absl::StrCat("code=\"", absl::StatusCodeToString(code), "\"");
    EXPECT_EQ(scrape.Sum("cleave_edge_inferences_total", {label}), count) << label;
    EXPECT_EQ(scrape.Sum("cleave_edge_calls_total", {label, "method=\"ModelInfer\""}), count)
        << label;
  }
  EXPECT_EQ(scrape.Sum("cleave_edge_inferences_total"), all.calls);
  const int answered = all.by_code[absl::StatusCode::kOk];
  for (const char* histogram :
       {"queue_seconds", "compute_seconds", "decode_seconds", "batch_size"}) {
    EXPECT_EQ(scrape.Sum(absl::StrCat("cleave_edge_", histogram, "_count"), {"model=\"pool\""}),
              answered)
        << histogram;
  }
  EXPECT_EQ(scrape.Sum("cleave_edge_refusals_total", {"reason=\"queue_full\""}) +
                scrape.Sum("cleave_edge_refusals_total", {"reason=\"displaced\""}) +
                scrape.Sum("cleave_edge_refusals_total", {"reason=\"late\""}),
            all.refused);
  EXPECT_THAT(response->body, ::testing::Not(HasSubstr("hostile")));
  EXPECT_THAT(response->body, ::testing::Not(HasSubstr("cut=\"10")));
  EXPECT_LT(scrape.size(), 200U);
  EXPECT_GT(scrape.Sum("cleave_edge_received_bytes_total"), 4.0 * 192 * answered);
  EXPECT_EQ(scrape.Sum("cleave_edge_queue_length"), 0);
  EXPECT_GT(scrape.Sum("process_resident_memory_bytes"), 1 << 20);

  // Connections that nothing is sent on count.
  const auto before = Scrape(http->Get("/metrics")->body).Sum("cleave_edge_connections");
  const auto silent = ClientOf(target);
  EXPECT_TRUE(silent->GetStatus(kLong).ok());
  EXPECT_EQ(Scrape(http->Get("/metrics")->body).Sum("cleave_edge_connections"), before + 1);
}

TEST_F(MetricsTest, AnEdgeIsNotReadyWhileItDrains) {
  const std::string model = folder_.Write("slow.onnx", testing::SlowModel(400));
  const auto [edge, target] = Serve(model, "127.0.0.1:0", {"--metrics", "127.0.0.1:0"});
  const auto http = HttpOf(AddressIn(edge->WaitForLine("metrics on ", kLong).value()));
  EXPECT_EQ(http->Get("/readyz")->status, 200);
  std::thread caller([to = target] {
    InferCall call;
    call.model = "slow";
    call.inputs = {
        {"x", Tensor::Zeros(DataType::kFloat32, {testing::kSlowSide, testing::kSlowSide}).value()}};
    EXPECT_TRUE(ClientOf(to)->Infer(call, kLong).ok());
  });
  const auto client = ClientOf(target);
  while (client->GetStatus(kLong).value().running == 0) std::this_thread::yield();
  edge->Signal(SIGTERM);
  int ready = 200;
  for (int i = 0; i < 400 && ready == 200; ++i) {
    const auto response = http->Get("/readyz");
    if (!response) break;
    ready = response->status;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(ready, 503);
  caller.join();
  EXPECT_EQ(edge->Wait(kLong).value_or(-1), 0);
}

TEST_F(MetricsTest, ADeviceTellsWhatItsRecordsSay) {
  const std::string model = folder_.Write("pool.onnx", PoolModel());
  const auto [edge, target] = Serve(model);
  const int device = started_;
  const auto run = StartRun(model, {"--edge", target, "--policy", "edge", "--duration", "60s",
                                    "--interval", "50ms", "--metrics", "127.0.0.1:0"});
  testing::RunOutput output;
  for (int i = 0; i < 20; ++i) output.records.push_back(NextRecord(*run));
  const auto http = HttpOf(AddressIn(ErrorLine(device, "metrics on ")));
  EXPECT_EQ(http->Get("/healthz")->status, 200);
  EXPECT_EQ(http->Get("/readyz")->status, 200);
  const Scrape scrape(http->Get("/metrics")->body);
  Interrupt(*run, output);
  const double inferences = scrape.Sum("cleave_device_inferences_total");
  EXPECT_GE(inferences, 20);
  EXPECT_LE(inferences, output.records.size());
  double sent = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(inferences); ++i) {
    sent += output.records[i]["bytes_up"].get<double>();
  }
  EXPECT_EQ(scrape.Sum("cleave_device_sent_bytes_total"), sent);
  EXPECT_EQ(scrape.Sum("cleave_device_plans_total", {"cut=\"0\""}), inferences);
  EXPECT_EQ(scrape.Sum("cleave_device_latency_seconds_count"), inferences);
  EXPECT_EQ(scrape.Sum("cleave_device_edge_usable"), 1);
  EXPECT_GT(scrape.Sum("cleave_device_link_up_bits_per_second"), 0);
}

// A port that nobody has now.
int FreePort() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(listener);
  return ntohs(address.sin_port);
}

// Whether Prometheus has a number for this expression.
bool HasData(const std::string& prometheus, const std::string& expression) {
  httplib::Client http("http://" + prometheus);
  const auto response =
      http.Get("/api/v1/query", httplib::Params{{"query", expression}}, httplib::Headers());
  if (!response || response->status != 200) return false;
  const Json answer = Json::parse(response->body);
  for (const Json& series : answer["data"]["result"]) {
    double value = 0;
    if (absl::SimpleAtod(series["value"][1].get<std::string>(), &value) && !std::isnan(value)) {
      return true;
    }
  }
  return false;
}

TEST_F(MetricsTest, EveryPanelOfTheDashboardHasData) {
  const std::string model = folder_.Write("pool.onnx", PoolModel());
  const auto [edge, target] = Serve(model, "127.0.0.1:0", {"--metrics", "127.0.0.1:0"});
  const std::string edge_metrics = AddressIn(edge->WaitForLine("metrics on ", kLong).value());
  const int device = started_;
  const auto run = StartRun(model, {"--edge", target, "--policy", "edge", "--duration", "600s",
                                    "--interval", "20ms", "--metrics", "127.0.0.1:0"});
  const std::string device_metrics = AddressIn(ErrorLine(device, "metrics on "));
  // Another device, whose edge is out of reach.
  const int alone = started_;
  const auto lonely =
      StartRun(model, {"--edge", absl::StrCat("127.0.0.1:", FreePort()), "--policy", "edge",
                       "--duration", "600s", "--interval", "20ms", "--metrics", "127.0.0.1:0"});
  const std::string lonely_metrics = AddressIn(ErrorLine(alone, "metrics on "));
  // Nobody reads what the two print.
  std::vector<std::thread> readers;
  for (emulate::Process* process : {run.get(), lonely.get()}) {
    readers.emplace_back([process] {
      while (process->ReadLine(kLong).ok()) {
      }
    });
  }

  const std::string config = folder_.Write(
      "prometheus.yml",
      absl::StrCat("global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
                   "scrape_configs:\n- job_name: cleave\n  static_configs:\n  - targets: ['",
                   edge_metrics, "', '", device_metrics, "', '", lonely_metrics, "']\n"));
  const std::string prometheus = absl::StrCat("127.0.0.1:", FreePort());
  emulate::ProcessOptions options;
  options.argv = {"/usr/bin/prometheus", "--config.file=" + config,
                  "--storage.tsdb.path=" + folder_.path() + "/tsdb",
                  "--web.listen-address=" + prometheus};
  options.stderr_path = folder_.path() + "/prometheus.log";
  const auto server = emulate::Process::Start(std::move(options));
  ASSERT_TRUE(server.ok()) << server.status();

  std::vector<std::string> waiting;
  const Json board = Json::parse(
      ReadFile(std::string(CLEAVE_SOURCE_DIR) + "/packaging/grafana/cleave.json").value());
  for (const Json& panel : board["panels"]) {
    if (panel["type"] == "row") continue;
    ASSERT_FALSE(panel["targets"].empty()) << panel["title"];
    for (const Json& query : panel["targets"]) {
      waiting.push_back(
          absl::StrReplaceAll(query["expr"].get<std::string>(), {{"$__rate_interval", "10s"}}));
    }
  }
  EXPECT_GT(waiting.size(), 30U);
  const auto client = ClientOf(target);
  for (int round = 0; round < 120 && !waiting.empty(); ++round) {
    // Larger than a probe may be.
    EXPECT_FALSE(client->Probe(3 << 20, 1, kLong).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    std::erase_if(waiting, [&](const std::string& each) { return HasData(prometheus, each); });
  }
  EXPECT_THAT(waiting, ::testing::IsEmpty());
  EXPECT_FALSE(HasData(prometheus, "no_such_metric"));
  for (emulate::Process* process : {run.get(), lonely.get()}) process->Signal(SIGINT);
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace cleave
