#include "app/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "app/calibrate_report.h"
#include "codec/picture.h"
#include "core/file.h"
#include "model/graph.h"
#include "model/graph_writer.h"
#include "support/temp_dir.h"

namespace cleave::app {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr int kSide = 8;
constexpr std::array<const char*, 3> kClasses = {"0_red", "1_green", "2_blue"};

// Pictures of one colour, and a model whose last exit names the brightest channel and whose first
// one always says green.
class CalibrateTest : public ::testing::Test {
 protected:
  CalibrateTest() {
    data_ = folder_ + "/data";
    model_ = WriteModel("net", 1);
    for (int label = 0; label < 3; ++label) {
      for (int i = 0; i < 10; ++i) {
        WritePicture(absl::StrCat("data/", kClasses[label], "/", i, ".jpg"), label, i);
      }
    }
    WritePicture("data/1_green/0.jpg", 0, 9);  // It is red.
  }

  std::string WriteModel(const std::string& name, float weight, bool exits = true) const {
    const std::vector<float> identity = {weight, 0, 0, 0, weight, 0, 0, 0, weight};
    const std::vector<float> zeros(9, 0);
    const std::vector<float> none(3, 0);
    const std::vector<float> always_green = {0, 1, 0};
    GraphWriter writer(name);
    const std::string mean = writer.GlobalAveragePool("mean", writer.Input("x", {3, kSide, kSide}));
    const std::string flat = writer.Flatten("flat", mean);
    writer.Output(writer.Gemm("green", flat, 3, {zeros, always_green}));
    writer.Output(writer.Gemm("brightest", flat, 3, {identity, none}));
    if (exits) writer.Metadata("cleave.exits", "green,brightest");
    std::string path = absl::StrCat(folder_, "/", name, ".onnx");
    EXPECT_TRUE(writer.Save(path).ok());
    Write(name + ".json",
          R"({"preprocessing": {"resize": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}})");
    return path;
  }

  void Write(const std::string& name, absl::string_view bytes) const {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, bytes).ok());
  }

  // Dark ones and bright ones: a range over a batch of both would leave nothing of the dark.
  void WritePicture(const std::string& name, int channel, int i) const {
    std::vector<std::uint8_t> pixels;
    for (int at = 0; at < kSide * kSide; ++at) {
      for (int each = 0; each < 3; ++each) {
        const int value = i % 2 == 0 ? (each == channel ? 30 : 8) : (each == channel ? 230 : 60);
        pixels.push_back(static_cast<std::uint8_t>(value + i));
      }
    }
    const auto file = EncodeJpeg(pixels, kSide, kSide, 95);
    ASSERT_TRUE(file.ok()) << file.status();
    Write(name, *file);
  }

  CalibrateOptions Options() const {
    CalibrateOptions options;
    options.model = model_;
    options.data.data = data_;
    options.cuts.kind = CandidateSpec::Kind::kAll;
    options.batch = 7;
    return options;
  }

  static Calibration Run(const CalibrateOptions& options) {
    auto calibration = Calibrate(options);
    EXPECT_TRUE(calibration.ok()) << calibration.status();
    return *std::move(calibration);
  }

  static std::string Error(const CalibrateOptions& options) {
    const auto calibration = Calibrate(options);
    EXPECT_FALSE(calibration.ok());
    return std::string(calibration.status().message());
  }

  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
  std::string data_;
  std::string model_;
};

TEST_F(CalibrateTest, CountsWhatIsRightByLabels) {
  const Calibration calibration = Run(Options());
  const AccuracyTable& table = calibration.table;
  EXPECT_THAT(calibration.exits, ::testing::ElementsAre("green", "brightest"));
  EXPECT_EQ(table.about().samples, 30);
  EXPECT_TRUE(table.about().labels);
  EXPECT_DOUBLE_EQ(table.best_accuracy(), 29.0 / 30);
  for (const AccuracyRow& row : table.rows()) {
    EXPECT_EQ(row.right, row.plan.exit == 0 ? 10 : 29)
        << row.plan.exit << " " << row.plan.cut << " " << EncodingName(row.plan.encoding);
  }
}

TEST_F(CalibrateTest, HasEveryPlanAndItsSize) {
  const AccuracyTable table = Run(Options()).table;
  for (int exit = 0; exit < 2; ++exit) {
    for (const Encoding encoding : AllEncodings()) {
      // Without a codec file there is no t1 to t6.
      EXPECT_EQ(table.Find({exit, 0, encoding}) != nullptr, !CodecRate(encoding))
          << EncodingName(encoding);
    }
    const AccuracyRow* fp32 = table.Find({exit, 1, Encoding::kFp32});
    const AccuracyRow* q8 = table.Find({exit, 1, Encoding::kQ8});
    ASSERT_NE(fp32, nullptr);
    ASSERT_NE(q8, nullptr);
    EXPECT_GT(q8->bytes, 0);
    EXPECT_EQ(table.Find({exit, 1, Encoding::kJpeg75}), nullptr);
  }

  const AccuracyRow* raw = table.Find({1, 0, Encoding::kFp32});
  EXPECT_GT(raw->bytes, 4 * 3 * kSide * kSide);
  EXPECT_LT(raw->bytes, 4 * 3 * kSide * kSide + 200);
  EXPECT_LT(raw->entropy_bytes, raw->bytes);
  EXPECT_EQ(table.Find({1, 0, Encoding::kJpeg})->entropy_bytes, 0);
  const AccuracyRow& device = table.rows().back();
  EXPECT_EQ(device.plan.encoding, Encoding::kFp32);
  EXPECT_EQ(device.bytes, 0);
}

TEST_F(CalibrateTest, OnlyTheEncodingsThatAreAskedForAndFullPrecision) {
  CalibrateOptions options = Options();
  options.encodings = {Encoding::kQ4};
  const AccuracyTable table = Run(options).table;
  for (const AccuracyRow& row : table.rows()) {
    EXPECT_THAT(row.plan.encoding, ::testing::AnyOf(Encoding::kFp32, Encoding::kQ4));
  }
}

TEST_F(CalibrateTest, WithoutLabelsAgreementWithTheLastExitCounts) {
  CalibrateOptions options = Options();
  options.data.data = data_ + "/0_red";
  const AccuracyTable table = Run(options).table;
  EXPECT_FALSE(table.about().labels);
  EXPECT_EQ(table.about().samples, 10);
  EXPECT_DOUBLE_EQ(table.best_accuracy(), 1);
  EXPECT_EQ(table.Find({0, 0, Encoding::kFp32})->right, 0);
}

TEST_F(CalibrateTest, ReadsLabelsFromAFile) {
  Write("labels", "0_red/1.jpg 0\n2_blue/1.jpg\t2\n\n1_green/0.jpg 1\n");
  CalibrateOptions options = Options();
  options.data.labels = folder_ + "/labels";
  const AccuracyTable table = Run(options).table;
  EXPECT_EQ(table.about().samples, 3);
  EXPECT_EQ(table.Find({1, 0, Encoding::kFp32})->right, 2);
  EXPECT_EQ(table.Find({0, 0, Encoding::kFp32})->right, 1);
}

TEST_F(CalibrateTest, DrawsTheSameOfEachClassWithTheSameSeed) {
  CalibrateOptions options = Options();
  options.data.samples = 12;
  const auto digest = [&](std::uint64_t seed) {
    options.data.seed = seed;
    return Run(options).table.about().data_digest;
  };
  EXPECT_EQ(digest(1), digest(1));
  EXPECT_NE(digest(1), digest(2));
  Preprocessing how;
  how.resize = how.height = how.width = kSide;
  const auto set = DrawSamples(options.data, how, 3);
  ASSERT_TRUE(set.ok()) << set.status();
  std::array<int, 3> of_class{};
  for (const Sample& sample : set->samples) ++of_class.at(*sample.label);
  EXPECT_THAT(of_class, ::testing::ElementsAre(4, 4, 4));
}

TEST_F(CalibrateTest, TheBatchDoesNotMatter) {
  CalibrateOptions options = Options();
  const std::string seven = Run(options).table.ToJson();
  options.batch = 1;
  EXPECT_EQ(Run(options).table.ToJson(), seven);
}

TEST_F(CalibrateTest, FindsTheTestFolderOfADataSet) {
  std::filesystem::rename(data_, folder_ + "/test");
  std::filesystem::create_directories(folder_ + "/root/train");
  std::filesystem::rename(folder_ + "/test", folder_ + "/root/test");
  CalibrateOptions options = Options();
  options.data.data = folder_ + "/root";
  EXPECT_EQ(Run(options).table.about().samples, 30);
}

TEST(DrawSamplesTest, ReadsCifar10sBinaryForm) {
  const testing::TempDir temp;
  const std::string& folder = temp.path();
  std::string records;
  for (int label = 0; label < 10; ++label) {
    records += static_cast<char>(label) + std::string(3072, static_cast<char>(20 * label));
  }
  for (const char* name : {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                           "data_batch_5", "test_batch"}) {
    ASSERT_TRUE(WriteFileAtomically(absl::StrCat(folder, "/", name, ".bin"), records).ok());
  }
  Preprocessing how;
  how.resize = how.height = how.width = 32;
  SampleOptions options;
  options.data = folder;
  const auto set = DrawSamples(options, how, 10);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->samples.size(), 10U);
  EXPECT_FALSE(set->files);
  const auto contents = ReadSample(set->samples.front(), how);
  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_EQ(contents->input.shape(), (Shape{1, 3, 32, 32}));
  EXPECT_TRUE(contents->file.empty());
  EXPECT_EQ(DrawSamples(options, how, 3).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CalibrateTest, RefusesDataThatIsNotTheModels) {
  CalibrateOptions options = Options();
  std::filesystem::remove_all(data_ + "/2_blue");
  EXPECT_THAT(Error(options), HasSubstr("found 2 folders of classes, expected 3"));
  std::filesystem::create_directories(data_ + "/2_blue");
  EXPECT_THAT(Error(options), HasSubstr("2_blue: found no picture"));
  options.data.labels = folder_ + "/labels";
  EXPECT_THAT(Error(options), HasSubstr("labels: no such file"));
  Write("labels", "0_red/1.jpg 0\n0_red/2.jpg 3\n");
  EXPECT_THAT(Error(options), HasSubstr("labels:2: found class 3, expected 0 to 2"));
  Write("labels", "0_red/1.jpg\n");
  EXPECT_THAT(Error(options), HasSubstr("labels:1: found '0_red/1.jpg'"));
  Write("labels", "\n");
  EXPECT_THAT(Error(options), HasSubstr("found no line"));
  Write("labels", "missing.jpg 0\n");
  EXPECT_THAT(Error(options), HasSubstr("missing.jpg: no such file"));
  Write("data/0_red/1.jpg", "no picture");
  Write("labels", "0_red/1.jpg 0\n");
  EXPECT_THAT(Error(options), HasSubstr("0_red/1.jpg"));
  options.data.labels = "folders";
  options.data.data = data_ + "/0_red";
  EXPECT_THAT(Error(options), HasSubstr("found no folder"));
  options.data.data = folder_ + "/nowhere";
  EXPECT_THAT(Error(options), HasSubstr("nowhere"));
}

TEST_F(CalibrateTest, RefusesModelsThatDoNotSortPictures) {
  CalibrateOptions options = Options();
  options.model = WriteModel("flat", 1, /*exits=*/false);
  EXPECT_THAT(Error(options), HasSubstr("found 2 outputs"));
  GraphWriter writer("vector");
  writer.Output(writer.Relu("y", writer.Input("x", {3})));
  options.model = folder_ + "/vector.onnx";
  ASSERT_TRUE(writer.Save(options.model).ok());
  EXPECT_THAT(Error(options), HasSubstr("one FP32 input of four dimensions"));
}

TEST_F(CalibrateTest, ChecksTheOptions) {
  CalibrateOptions options = Options();
  options.data.samples = 0;
  EXPECT_THAT(Error(options), HasSubstr("samples: found 0"));
  options = Options();
  options.batch = 5000;
  EXPECT_THAT(Error(options), HasSubstr("batch: found 5000"));
}

TEST_F(CalibrateTest, WhatIsStoredIsForThisModelAlone) {
  const Calibration calibration = Run(Options());
  ASSERT_TRUE(calibration.table.Save(model_).ok());
  const std::string digest = (*Graph::Load(model_))->digest();
  const auto table = AccuracyTable::Load(model_, digest);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->ToJson(), calibration.table.ToJson());
  const std::string sidecar = *ReadFile(folder_ + "/net.json");
  WriteModel("net", 2);
  Write("net.json", sidecar);
  const absl::Status other = AccuracyTable::Load(model_, (*Graph::Load(model_))->digest()).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition) << other;
  EXPECT_THAT(std::string(other.message()), HasSubstr(digest));
}

TEST_F(CalibrateTest, ReportsToProgramsAndPeople) {
  const Calibration calibration = Run(Options());
  const Json json = Json::parse(CalibrationJson(calibration));
  EXPECT_EQ(json["samples"], 30);
  EXPECT_EQ(json["exits"].size(), 2U);
  ASSERT_EQ(json["rows"].size(), calibration.table.rows().size());
  for (const Json& row : json["rows"]) {
    EXPECT_LE(row["low"], row["accuracy"]);
    EXPECT_GE(row["high"], row["accuracy"]);
    EXPECT_LE(row["ratio"].get<double>(), 4);
  }

  const std::string text = CalibrationText(calibration);
  EXPECT_THAT(text, HasSubstr("30 samples (seed 1)"));
  EXPECT_THAT(text, HasSubstr("brightest"));
  EXPECT_THAT(text, HasSubstr("96.7 x"));
  const std::string svg = CalibrationSvg(calibration);
  EXPECT_THAT(svg, HasSubstr("<polyline"));
  EXPECT_THAT(svg, HasSubstr("brightest"));
}

TEST(CommittedModelTest, ItsCalibrationIsItsOwn) {
  const std::string model = CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx";
  const auto graph = Graph::Load(model);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto table = AccuracyTable::Load(model, (*graph)->digest());
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_TRUE(table->about().labels);
  EXPECT_EQ(table->rows().back().plan.exit, (*graph)->exit_count() - 1);
  EXPECT_NE(table->Find({0, 0, Encoding::kJpeg75}), nullptr);
}

}  // namespace
}  // namespace cleave::app
