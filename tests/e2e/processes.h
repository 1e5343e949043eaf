#ifndef CLEAVE_TESTS_E2E_PROCESSES_H_
#define CLEAVE_TESTS_E2E_PROCESSES_H_

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "emulate/process.h"
#include "support/tiny_models.h"

namespace cleave::testing {

using Json = nlohmann::json;

inline constexpr std::int64_t kLong = 60'000'000;

// What `cleave run --json` printed.
struct RunOutput {
  int exit_code = -1;
  std::vector<Json> records;
  Json summary;

  std::vector<std::string> Fallbacks() const {
    std::vector<std::string> reasons;
    for (const Json& record : records) {
      if (!record["fallback"].is_null()) reasons.push_back(record["fallback"]);
    }
    return reasons;
  }
  std::int64_t CountWhere(const std::string& where) const {
    return std::count_if(records.begin(), records.end(),
                         [&](const Json& record) { return record["where"] == where; });
  }
};

// Processes of the real program and what they say. Each test has a folder and a cache of its own.
class ProcessTest : public ::testing::Test {
 protected:
  std::unique_ptr<emulate::Process> Start(std::vector<std::string> args) {
    emulate::ProcessOptions options;
    options.argv = {CLEAVE_PROGRAM};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    options.environment = {{"CLEAVE_CACHE_DIR", folder_.path() + "/cache"}};
    options.stderr_path = StderrPath(started_++);
    auto process = emulate::Process::Start(std::move(options));
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  // An edge, and where it listens.
  std::pair<std::unique_ptr<emulate::Process>, std::string> Serve(
      const std::string& model, const std::string& listen = "127.0.0.1:0",
      std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"serve", model, "--cuts", cuts_, "--listen", listen};
    args.insert(args.end(), more.begin(), more.end());
    std::unique_ptr<emulate::Process> process = Start(args);
    const auto line = process->WaitForLine("listening on ", kLong);
    EXPECT_TRUE(line.ok()) << line.status();
    return {std::move(process), line.ok() ? line->substr(line->rfind(' ') + 1) : ""};
  }

  std::unique_ptr<emulate::Process> StartRun(const std::string& model,
                                             std::vector<std::string> more) {
    std::vector<std::string> args = {"run", model, "--json", "--cuts", cuts_};
    args.insert(args.end(), more.begin(), more.end());
    return Start(args);
  }

  static Json NextRecord(emulate::Process& run) {
    const auto line = run.ReadLine(kLong);
    EXPECT_TRUE(line.ok()) << line.status();
    return line.ok() ? Json::parse(*line) : Json();
  }

  // Records up to the first that ran there.
  static void ReadUntil(const std::string& where, emulate::Process& run, RunOutput& output) {
    for (int i = 0; i < 20'000; ++i) {
      Json record = NextRecord(run);
      if (record.is_null()) return;
      output.records.push_back(std::move(record));
      if (output.records.back()["where"] == where) return;
    }
    ADD_FAILURE() << "never ran on " << where;
  }

  // Ends the run; the rest of what it said is added.
  static void Interrupt(emulate::Process& run, RunOutput& output) {
    run.Signal(SIGINT);
    RunOutput rest = Finish(run);
    output.exit_code = rest.exit_code;
    output.summary = std::move(rest.summary);
    output.records.insert(output.records.end(), rest.records.begin(), rest.records.end());
  }

  static RunOutput Finish(emulate::Process& run) {
    RunOutput output;
    for (auto line = run.ReadLine(kLong); line.ok(); line = run.ReadLine(kLong)) {
      Json json = Json::parse(*line);
      if (json.contains("summary")) {
        output.summary = json["summary"];
      } else {
        output.records.push_back(std::move(json));
      }
    }
    output.exit_code = run.Wait(kLong).value_or(-1);
    return output;
  }

  RunOutput Run(const std::string& model, std::vector<std::string> more) {
    more.push_back("--full-outputs");
    return Finish(*StartRun(model, std::move(more)));
  }

  // The indices of the cuts that the edge and the device are to choose among.
  std::vector<int> Candidates(const std::string& model) {
    const auto inspect = Start({"inspect", model, "--json", "--cuts", cuts_});
    std::string text;
    for (auto line = inspect->ReadLine(kLong); line.ok(); line = inspect->ReadLine(kLong)) {
      text += *line;
    }
    std::vector<int> cuts;
    const Json report = Json::parse(text);
    for (const Json& cut : report["cuts"]) cuts.push_back(cut["index"]);
    return cuts;
  }

  void ExpectSameOutputs(const Json& found, const Json& expected) const {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i]["name"], expected[i]["name"]);
      EXPECT_EQ(found[i]["shape"], expected[i]["shape"]);
      if (expected[i]["dtype"] == "BYTES") {
        EXPECT_EQ(found[i]["data"], expected[i]["data"]);
        continue;
      }
      const std::vector<double> a = found[i]["data"];
      const std::vector<double> b = expected[i]["data"];
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t j = 0; j < a.size(); ++j) {
        EXPECT_NEAR(a[j], b[j], tolerance_ * std::max(1.0, std::abs(b[j])));
      }
    }
  }

  void ExpectAllDelivered(const RunOutput& output, const Json& expected_outputs) const {
    EXPECT_EQ(output.exit_code, 0);
    EXPECT_EQ(output.summary["inferences"], output.records.size());
    for (std::size_t i = 0; i < output.records.size(); ++i) {
      EXPECT_EQ(output.records[i]["id"], i);
      ExpectSameOutputs(output.records[i]["outputs"], expected_outputs);
    }
  }

  Json ExpectedOutputs(const std::string& model) {
    const RunOutput output = Run(model, {"--policy", "device"});
    EXPECT_EQ(output.exit_code, 0);
    return output.records.at(0)["outputs"];
  }

  // Of the process started last, as far as it is there.
  std::string LastErrors() const {
    std::ifstream file(StderrPath(started_ - 1));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string StderrPath(int process) const {
    return folder_.path() + "/stderr" + std::to_string(process);
  }

  const TempDir folder_;
  std::string cuts_ = "all";  // Of edge and device.
  double tolerance_ = 1e-5;   // Of an output, as a share of it where it is above 1.
  int started_ = 0;
};

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_E2E_PROCESSES_H_
