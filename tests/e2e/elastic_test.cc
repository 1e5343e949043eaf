// The real program with the trained model of five exits: what travels is encoded or a picture, what
// is delivered is the answer of the plan that the record names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/input_preprocessing.h"
#include "codec/picture.h"
#include "core/file.h"
#include "device/confidence.h"
#include "device/plan_table.h"
#include "e2e/processes.h"
#include "emulate/relay.h"
#include "profile/accuracy_table.h"
#include "runtime/exit_models.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::Json;
using testing::kLong;
using testing::RunOutput;

constexpr int kLastExit = 4;
constexpr int kPictures = 6;

// Of that size, different from each other.
std::string MakePicture(int seed, int height, int width) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        const int value = (x * (seed + 1) + y * (7 - seed) + channel * 60 * seed) % 256;
        pixels.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  return EncodeJpeg(pixels, height, width, 92).value();
}

int Largest(const std::vector<double>& values) {
  return static_cast<int>(std::max_element(values.begin(), values.end()) - values.begin());
}

// What each plan answers, by the library in this process.
class Reference {
 public:
  explicit Reference(const std::string& model)
      : graph_(Graph::Load(model).value()),
        how_(PreprocessingFor(graph_->inputs().front(), model, {}).value()),
        exits_(BuildExitModels(graph_, {}).value()) {}

  Json Answer(const Plan& plan, const std::string& file) const {
    const auto& exit = exits_[static_cast<std::size_t>(plan.exit)];
    const int boundary = exit.chain->BoundaryOf(plan.cut);
    std::vector<NamedTensor> live = {{graph_->inputs().front().name, Input(plan, file)}};
    live = exit.chain->Run(0, boundary, live).value().tensors;
    if (!IsPicture(plan.encoding)) Travel(plan.encoding, live);
    live = exit.chain->Run(boundary, exit.chain->segments(), live).value().tensors;
    const std::span<const float> logits = live.at(0).tensor.floats();
    return Json::array({{{"name", live[0].name},
                         {"dtype", "FP32"},
                         {"shape", live[0].tensor.shape()},
                         {"data", std::vector<float>(logits.begin(), logits.end())}}});
  }

  Json Exact(int exit, const std::string& file) const {
    return Answer({exit, 0, Encoding::kFp32}, file);
  }

  const Graph& graph() const { return *graph_; }

 private:
  Tensor Input(const Plan& plan, const std::string& file) const {
    if (!IsPicture(plan.encoding)) return ImageToTensor(file, how_, "picture").value();
    const TravellingPicture sent = EncodePicture(file, how_, plan.encoding, "picture").value();
    return ImageToTensor(sent.file, sent.how, "picture").value();
  }

  static void Travel(Encoding encoding, std::vector<NamedTensor>& tensors) {
    for (NamedTensor& named : tensors) {
      const std::string frame = EncodeTensor(named.tensor, EncodeOptionsFor(encoding, 1)).value();
      named.tensor = DecodeTensor(frame, named.name, named.tensor.elements()).value();
    }
  }

  const std::shared_ptr<const Graph> graph_;
  const Preprocessing how_;
  const std::vector<ExitModel> exits_;
};

class ElasticTest : public testing::ProcessTest {
 protected:
  ElasticTest() {
    cuts_ = "frontier";
    tolerance_ = 1e-3;
    std::filesystem::create_directory(data_);
    for (const char* name : {"/alexnet_cifar10.onnx", "/alexnet_cifar10.json"}) {
      std::filesystem::copy_file(std::string(CLEAVE_MODELS_DIR) + name, folder_.path() + name);
    }
    for (int i = 0; i < kPictures; ++i) {
      const bool odd = i % 2 == 1;
      files_.push_back(MakePicture(i, odd ? 40 : 32, odd ? 57 : 32));
      folder_.Write(absl::StrCat("data/", i, ".jpg"), files_.back());
    }
    reference_ = std::make_unique<Reference>(model_);
  }

  // `target` behind a link of 20 Mbit/s.
  std::string Through(const std::string& target) {
    auto relay =
        emulate::Relay::Start({.to = target, .up = {.rate_bps = 20e6}, .down = {.rate_bps = 20e6}});
    EXPECT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
    return absl::StrCat("127.0.0.1:", relay_->port());
  }

  // One picture after the other; the edge has all the time that it needs.
  RunOutput RunPictures(std::vector<std::string> more) {
    for (const char* word : {"--input", data_.c_str(), "--timeout", "60s"}) more.push_back(word);
    return Run(model_, std::move(more));
  }

  static Plan PlanOf(const Json& record) {
    const Json& plan = record["plan"];
    return {plan["exit"], plan["cut"], ParseEncoding(plan["encoding"].get<std::string>()).value()};
  }

  // What this record has to hold: the plan's answer, or where it ran here that of its exit.
  Json Expected(const Json& record) {
    const std::size_t picture = record["id"].get<std::size_t>() % files_.size();
    Plan plan = PlanOf(record);
    if (record["where"] == "device") plan = {plan.exit, 0, Encoding::kFp32};
    const auto key = std::tuple(picture, plan.exit, plan.cut, plan.encoding);
    const auto found = expected_.find(key);
    if (found != expected_.end()) return found->second;
    return expected_[key] = reference_->Answer(plan, files_[picture]);
  }

  void ExpectDelivered(const RunOutput& output) {
    EXPECT_EQ(output.exit_code, 0) << LastErrors();
    EXPECT_EQ(output.summary["inferences"], output.records.size());
    for (std::size_t i = 0; i < output.records.size(); ++i) {
      const Json& record = output.records[i];
      SCOPED_TRACE(absl::StrCat(i, ": ", record["plan"].dump(), record["where"].dump()));
      EXPECT_EQ(record["id"], i);
      ASSERT_EQ(record["outputs"].size(), 1U);
      EXPECT_EQ(record["outputs"][0]["name"], absl::StrCat("exit", PlanOf(record).exit + 1));
      ExpectSameOutputs(record["outputs"], Expected(record));
    }
  }

  // Every picture, once.
  void ExpectAllPictures(const RunOutput& output) {
    EXPECT_EQ(output.records.size(), files_.size());
    ExpectDelivered(output);
  }

  AccuracyTable Calibration() const {
    return AccuracyTable::Load(model_, reference_->graph().digest()).value();
  }

  const std::string model_ = folder_.path() + "/alexnet_cifar10.onnx";
  const std::string data_ = folder_.path() + "/data";
  std::vector<std::string> files_;
  std::unique_ptr<Reference> reference_;
  std::unique_ptr<emulate::Relay> relay_;
  std::map<std::tuple<std::size_t, int, int, Encoding>, Json> expected_;
};

TEST_F(ElasticTest, FixedPlansDeliverWhatTheyName) {
  const RunOutput local = RunPictures({"--policy", "device"});
  ExpectAllPictures(local);
  EXPECT_EQ(local.CountWhere("device"), kPictures);
  const auto [edge, target] = Serve(model_);
  const std::string through = Through(target);
  const AccuracyTable calibration = Calibration();
  const std::vector<std::pair<std::string, Plan>> plans = {
      {"edge", {kLastExit, 0, Encoding::kFp32}},
      {"fixed:0/jpeg", {kLastExit, 0, Encoding::kJpeg}},
      {"fixed:0/jpeg75/1", {1, 0, Encoding::kJpeg75}},
      {"fixed:6", {kLastExit, 6, Encoding::kFp32}},
      {"fixed:6/q8", {kLastExit, 6, Encoding::kQ8}},
      {"fixed:6/q4/2", {2, 6, Encoding::kQ4}},
      {"fixed:3/fp16/0", {0, 3, Encoding::kFp16}}};
  for (const auto& [policy, plan] : plans) {
    SCOPED_TRACE(policy);
    const RunOutput output = RunPictures({"--edge", through, "--policy", policy});
    ExpectAllPictures(output);
    EXPECT_EQ(output.CountWhere(plan.cut == 0 ? "edge" : "split"), kPictures);
    EXPECT_THAT(output.Fallbacks(), ::testing::IsEmpty());
    const AccuracyRow* row = calibration.Find(plan);
    ASSERT_NE(row, nullptr);
    for (const Json& record : output.records) {
      EXPECT_EQ(PlanOf(record), plan);
      EXPECT_EQ(record["accuracy"], calibration.AccuracyOf(*row));
      const bool exact = plan.exit == kLastExit && IsExact(plan.encoding);
      if (exact) {
        ExpectSameOutputs(record["outputs"], local.records.at(record["id"])["outputs"]);
      }
    }
  }
}

TEST_F(ElasticTest, BarsOfAccuracyHold) {
  const auto [edge, target] = Serve(model_);
  const std::string through = Through(target);
  const double best = Calibration().best_accuracy();
  const std::vector<std::tuple<std::string, std::string, double>> bars = {
      {"--min-accuracy", "80%", 0.8}, {"--accuracy-drop", "1%", best - 0.01}};
  for (const auto& [flag, value, bar] : bars) {
    SCOPED_TRACE(flag);
    const RunOutput output = RunPictures({"--edge", through, flag, value});
    ExpectAllPictures(output);
    for (const Json& record : output.records) EXPECT_GE(record["accuracy"], bar);
  }
  const RunOutput none = RunPictures({"--edge", through, "--min-accuracy", "99%"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(LastErrors(), HasSubstr("min_accuracy: found 99.0%, expected at most the 85.5%"));
}

TEST_F(ElasticTest, AnExitAskedForIsTheOnlyOne) {
  const auto [edge, target] = Serve(model_);
  const RunOutput output = RunPictures({"--edge", Through(target), "--exit", "1"});
  ExpectAllPictures(output);
  for (const Json& record : output.records) {
    EXPECT_EQ(PlanOf(record).exit, 1);
    EXPECT_TRUE(IsExact(PlanOf(record).encoding)) << record["plan"];
  }
}

TEST_F(ElasticTest, ADeadlineTakesTheBestAnswerInTimeOrTheNearest) {
  const auto [edge, target] = Serve(model_);
  const std::string through = Through(target);
  const AccuracyTable calibration = Calibration();
  double most = 0;
  for (const AccuracyRow& row : calibration.rows()) {
    most = std::max(most, calibration.AccuracyOf(row));
  }
  const RunOutput roomy = RunPictures({"--edge", through, "--deadline", "50s"});
  ExpectAllPictures(roomy);
  for (const Json& record : roomy.records) {
    EXPECT_EQ(record["reason"], "most accurate in time");
    EXPECT_EQ(record["accuracy"], most);
  }
  const RunOutput hopeless = RunPictures({"--edge", through, "--deadline", "1us"});
  ExpectAllPictures(hopeless);
  EXPECT_EQ(hopeless.summary["deadline_misses"], kPictures);
  for (const Json& record : hopeless.records) {
    EXPECT_THAT(record["reason"].get<std::string>(), HasSubstr("meets 1.00 us; nearest: "));
  }
}

TEST_F(ElasticTest, ConfidenceDecidesWhichExitAnswers) {
  const auto rule = ConfidenceRule::Parse("0.5").value();
  const RunOutput output = RunPictures({"--policy", "device", "--exit-confidence", "0.5"});
  ExpectAllPictures(output);
  for (const Json& record : output.records) {
    int expected = 0;
    for (; expected < kLastExit; ++expected) {
      const Json logits = reference_->Exact(expected, files_.at(record["id"]));
      if (rule->Sure(rule->Of(logits[0]["data"].get<std::vector<float>>()))) break;
    }
    EXPECT_EQ(PlanOf(record).exit, expected) << "picture " << record["id"];
    EXPECT_EQ(record["reason"] == "confident", expected < kLastExit);
    EXPECT_FALSE(record["confidence"].is_null());
  }
  const auto [edge, target] = Serve(model_);
  const RunOutput sure = RunPictures({"--edge", Through(target), "--exit-confidence", "0"});
  ExpectAllPictures(sure);
  for (const Json& record : sure.records) EXPECT_EQ(PlanOf(record).exit, 0);
  const RunOutput never =
      RunPictures({"--edge", Through(target), "--exit-confidence", "entropy:0"});
  ExpectAllPictures(never);
  for (const Json& record : never.records) {
    EXPECT_EQ(PlanOf(record).exit, kLastExit);
    EXPECT_GT(PlanOf(record).cut, 0);
  }
}

TEST_F(ElasticTest, AKilledEdgeLosesNothing) {
  auto [edge, target] = Serve(model_);
  const std::vector<std::pair<std::string, std::string>> plans = {
      {"fixed:6/q8", "split"}, {"fixed:0/jpeg", "edge"}, {"fixed:3/q4/2", "split"}};
  for (const auto& [policy, where] : plans) {
    SCOPED_TRACE(policy);
    const auto run =
        StartRun(model_, {"--edge", target, "--policy", policy, "--input", data_, "--full-outputs",
                          "--timeout", "5s", "--duration", "300s", "--interval", "2"});
    RunOutput output;
    ReadUntil(where, *run, output);
    edge->Signal(SIGKILL);
    ASSERT_TRUE(edge->Wait(kLong).ok());
    ReadUntil("device", *run, output);
    EXPECT_TRUE(output.records.back()["fallback"].is_string()) << output.records.back();
    edge = Serve(model_, target).first;
    ReadUntil(where, *run, output);
    Interrupt(*run, output);
    ExpectDelivered(output);
    for (const Json& record : output.records) {
      EXPECT_EQ(record["where"] == "device", record["fallback"].is_string()) << record;
    }
  }
}

TEST_F(ElasticTest, CalibrateMakesBarsOfAccuracyPossible) {
  const Json sidecar = Json::parse(ReadFile(folder_.path() + "/alexnet_cifar10.json").value());
  folder_.Write("alexnet_cifar10.json", Json{{"preprocessing", sidecar["preprocessing"]}}.dump());
  EXPECT_EQ(RunPictures({"--policy", "device", "--min-accuracy", "50%"}).exit_code, 1);
  EXPECT_THAT(LastErrors(), HasSubstr("min_accuracy: the model is not calibrated"));

  // Labels that the last exit is right about.
  std::string labels;
  for (int i = 0; i < kPictures; ++i) {
    const Json logits = reference_->Exact(kLastExit, files_[static_cast<std::size_t>(i)]);
    const int label = Largest(logits[0]["data"].get<std::vector<double>>());
    absl::StrAppend(&labels, i, ".jpg ", label, "\n");
  }
  const auto calibrate = Start({"calibrate", model_, "--data", data_, "--labels",
                                folder_.Write("labels", labels), "--encodings", "q8,q4,jpeg"});
  ASSERT_EQ(calibrate->Wait(kLong).value_or(-1), 0) << LastErrors();
  const AccuracyTable calibration = Calibration();
  EXPECT_EQ(calibration.about().samples, kPictures);
  EXPECT_EQ(calibration.best_accuracy(), 1);
  EXPECT_EQ(calibration.Find({kLastExit, 6, Encoding::kQ2}), nullptr);
  ASSERT_NE(calibration.Find({1, 6, Encoding::kQ4}), nullptr);

  const auto [edge, target] = Serve(model_);
  const RunOutput output = RunPictures({"--edge", Through(target), "--min-accuracy", "90%"});
  ExpectAllPictures(output);
  for (const Json& record : output.records) {
    EXPECT_GE(record["accuracy"], 0.9);
    EXPECT_NE(calibration.Find(PlanOf(record)), nullptr) << record["plan"];
  }
}

}  // namespace
}  // namespace cleave
