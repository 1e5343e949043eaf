#include "profile/accuracy_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_replace.h"
#include "codec/image.h"
#include "core/file.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

AccuracyTable::About AboutIt() {
  return {.model_digest = std::string(64, 'a'),
          .data_digest = std::string(64, 'b'),
          .samples = 200,
          .seed = 7,
          .labels = true};
}

std::vector<AccuracyRow> Rows() {
  return {{{1, 0, Encoding::kFp32}, 180, 4096.5, 3000},
          {{1, 0, Encoding::kJpeg75}, 170, 900, 0},
          {{1, 3, Encoding::kQ8}, 179, 1024, 1000.25},
          {{1, 9, Encoding::kFp32}, 180, 0, 0},
          {{0, 3, Encoding::kFp32}, 140, 4096, 3500}};
}

AccuracyTable Table() {
  const auto table = AccuracyTable::Create(AboutIt(), Rows());
  EXPECT_TRUE(table.ok()) << table.status();
  return *table;
}

class AccuracyTableTest : public ::testing::Test {
 protected:
  AccuracyTableTest() { model_ = folder_ + "/net.onnx"; }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }

  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
  std::string model_;
};

TEST(WilsonIntervalTest, IsTheTextbooks) {
  const ShareInterval half = WilsonInterval(50, 100);
  EXPECT_NEAR(half.low, 0.4038, 1e-4);
  EXPECT_NEAR(half.high, 0.5962, 1e-4);
  const ShareInterval none = WilsonInterval(0, 10);
  EXPECT_DOUBLE_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.2775, 1e-4);
  const ShareInterval all = WilsonInterval(10, 10);
  EXPECT_NEAR(all.low, 0.7225, 1e-4);
  EXPECT_DOUBLE_EQ(all.high, 1);
}

TEST_F(AccuracyTableTest, FindsPlans) {
  const AccuracyTable table = Table();
  const AccuracyRow* row = table.Find({1, 3, Encoding::kQ8});
  ASSERT_NE(row, nullptr);
  EXPECT_DOUBLE_EQ(table.AccuracyOf(*row), 0.895);
  EXPECT_LT(table.IntervalOf(*row).low, 0.895);
  EXPECT_GT(table.IntervalOf(*row).high, 0.895);
  EXPECT_DOUBLE_EQ(table.best_accuracy(), 0.9);
  EXPECT_EQ(table.rows().front().plan.exit, 0);
  EXPECT_EQ(table.Find({1, 3, Encoding::kQ6}), nullptr);
  EXPECT_EQ(table.Find({2, 3, Encoding::kQ8}), nullptr);
  EXPECT_EQ(table.Find({0, 0, Encoding::kFp32}), nullptr);
}

TEST_F(AccuracyTableTest, ComesBackOutOfJson) {
  const AccuracyTable table = Table();
  const auto back = AccuracyTable::FromJson(table.ToJson(), "text");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), table.ToJson());
  EXPECT_EQ(back->about().seed, 7U);
  EXPECT_EQ(back->Find({1, 3, Encoding::kQ8})->entropy_bytes, 1000.25);
}

TEST_F(AccuracyTableTest, IsKeptInTheSidecarBesideWhateverIsThere) {
  Write("net.json", R"({"preprocessing": {"height": 32, "width": 30}, "note": [1, {"a": null}]})");
  const auto path = Table().Save(model_);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(*path, folder_ + "/net.json");
  const auto table = AccuracyTable::Load(model_, std::string(64, 'a'));
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->ToJson(), Table().ToJson());
  const auto how = Preprocessing::FromSidecar(model_, {});
  ASSERT_TRUE(how.ok()) << how.status();
  EXPECT_EQ(how->width, 30);
  EXPECT_THAT(*ReadFile(*path), HasSubstr(R"("note": [1,{"a":null}])"));
  ASSERT_TRUE(Table().Save(model_).ok());
  EXPECT_TRUE(AccuracyTable::Load(model_, std::string(64, 'a')).ok());
}

TEST_F(AccuracyTableTest, TheSidecarThatIsReadIsTheOneThatIsWritten) {
  Write("net.onnx.json", "{}");
  EXPECT_EQ(*Table().Save(model_), folder_ + "/net.onnx.json");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/net.json"));
}

TEST_F(AccuracyTableTest, MakesTheSidecarWhereThereIsNone) {
  EXPECT_EQ(*Table().Save(model_), folder_ + "/net.json");
  EXPECT_TRUE(AccuracyTable::Load(model_, std::string(64, 'a')).ok());
}

TEST_F(AccuracyTableTest, LeavesAFileAloneThatIsNoSidecar) {
  Write("net.json", "precious");
  EXPECT_EQ(Table().Save(model_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*ReadFile(folder_ + "/net.json"), "precious");
}

TEST_F(AccuracyTableTest, TellsNoneFromAnother) {
  EXPECT_EQ(AccuracyTable::Load(model_, std::string(64, 'a')).status().code(),
            absl::StatusCode::kNotFound);
  Write("net.json", R"({"preprocessing": {}})");
  EXPECT_EQ(AccuracyTable::Load(model_, std::string(64, 'a')).status().code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(Table().Save(model_).ok());
  const absl::Status other = AccuracyTable::Load(model_, std::string(64, 'c')).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr(std::string(64, 'a')));
  EXPECT_THAT(std::string(other.message()), HasSubstr(std::string(64, 'c')));
  EXPECT_THAT(std::string(other.message()), HasSubstr("net.json"));
}

TEST_F(AccuracyTableTest, EveryFieldIsChecked) {
  struct Fault {
    const char* from;
    const char* to;
    const char* message;
  };
  const std::string good = Table().ToJson();
  for (const Fault& fault : std::vector<Fault>{
           {"\"right\":179", "\"right\":201", "right: found 201, expected 0 to 200"},
           {"\"right\":179", "\"right\":-1", "right: found -1"},
           {"\"right\":179", "\"right\":1.5", "rows[3]: right: found 1.5"},
           {"\"right\":179", "\"right\":99999999999999999999", "right: found"},
           {"\"right\":179,", "", "field 'right' is missing"},
           {"\"right\":179", "\"right\":179,\"wrong\":1", "field 'wrong' is not one"},
           {"\"bytes\":1024.0", "\"bytes\":-1", "bytes: found -1"},
           {"\"bytes\":1024.0", "\"bytes\":1e300", "bytes: found 1e+300"},
           {"\"bytes\":1024.0", "\"bytes\":null", "bytes: found null, expected a number"},
           {"1000.25", "\"a lot\"", "entropy_bytes: found \"a lot\""},
           {"\"q8\"", "\"q7\"", "encoding: found 'q7'"},
           {"\"q8\"", "\"jpeg\"", "encoding: found that of a picture"},
           {"\"cut\":9", "\"cut\":-9", "cut: found -9"},
           {"\"cut\":9", "\"cut\":4294967296", "cut: found 4294967296"},
           {"\"exit\":0", "\"exit\":-1", "exit: found -1"},
           {"\"exit\":0", "\"exit\":5000", "exit: found 5000"},
           {"\"exit\":0,\"cut\":3,\"encoding\":\"fp32\"",
            "\"exit\":1,\"cut\":9,\"encoding\":\"fp32\"", "twice"},
           {"\"exit\":0", "\"exit\":2", nullptr},
           {"\"exit\":0,\"cut\":3,\"encoding\":\"fp32\"",
            "\"exit\":2,\"cut\":3,\"encoding\":\"q2\"", "last exit in full precision"},
           {"\"samples\": 200", "\"samples\": 0", "samples: found 0"},
           {"\"seed\": 7", "\"seed\": -7", "seed: found -7"},
           {"\"labels\": true", "\"labels\": 1", "labels: found 1"},
           {"aaaa", "AAAA", "model_digest: found"},
           {"bbbb", "", "data_digest: found"},
           {"\"rows\": [", "\"rows\": 3, \"x\": [", "field 'x' is not one"},
           {"\"seed\": 7,", "", "field 'seed' is missing"},
           {"{\"model_digest\"", "[{\"model_digest\"", "found no JSON"},
       }) {
    const std::string text = absl::StrReplaceAll(good, {{fault.from, fault.to}});
    ASSERT_NE(text, good) << fault.from;
    const absl::Status status = AccuracyTable::FromJson(text, "text").status();
    if (fault.message == nullptr) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << fault.to;
    EXPECT_THAT(std::string(status.message()), HasSubstr(fault.message));
    EXPECT_THAT(std::string(status.message()), HasSubstr("text: "));
  }
}

TEST_F(AccuracyTableTest, ADetectorsPrecisionComesBackAndIsChecked) {
  AccuracyTable::About about = AboutIt();
  about.metric = AccuracyTable::Metric::kMeanAveragePrecision;
  AccuracyRow row = {{0, 0, Encoding::kFp32}, 0, 10, 5};
  row.detection = DetectionAccuracy{0.5, 0.75, {0.25, 0.625}};
  const auto table = AccuracyTable::Create(about, {row});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->best_accuracy(), 0.5);
  EXPECT_EQ(table->IntervalOf(table->rows().front()).high, 0.625);
  const std::string json = table->ToJson();
  const auto again = AccuracyTable::FromJson(json, "text");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->ToJson(), json);
  EXPECT_EQ(again->rows().front().detection->at_50, 0.75);
  for (const auto& [from, to, message] : std::vector<std::array<const char*, 3>>{
           {"\"precision\":0.5", "\"precision\":1.5", "precision: found 1.5, expected 0 to 1"},
           {"\"low\":0.25", "\"low\":-1", "low: found -1"},
           {"\"high\":0.625,", "", "field 'high' is missing"},
           {"\"precision\":0.5", "\"right\":1,\"precision\":0.5", "field 'right' is not one"},
           {"mean_average_precision", "f1", "metric: found \"f1\""},
           {"\"metric\": \"mean_average_precision\", ", "", "field 'right' is missing"}}) {
    const std::string text = absl::StrReplaceAll(json, {{from, to}});
    ASSERT_NE(text, json) << from;
    EXPECT_THAT(std::string(AccuracyTable::FromJson(text, "text").status().message()),
                HasSubstr(message));
  }
  row.detection.reset();
  EXPECT_THAT(std::string(AccuracyTable::Create(about, {row}).status().message()),
              HasSubstr("precision: found none"));
}

TEST_F(AccuracyTableTest, TakesTenThousandRows) {
  std::vector<AccuracyRow> rows;
  for (int i = 0; i < 10'000; ++i) {
    rows.push_back({{i / 2000, i % 2000, Encoding::kFp32}, i % 200, 1e5 + i / 3.0, 1e4 + i / 7.0});
  }

  const auto table = AccuracyTable::Create(AboutIt(), rows);
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_TRUE(table->Save(model_).ok());
  const auto back = AccuracyTable::Load(model_, std::string(64, 'a'));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->rows().size(), 10'000U);
  EXPECT_EQ(back->ToJson(), table->ToJson());
}

}  // namespace
}  // namespace cleave
