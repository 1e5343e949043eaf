#include "learn/train_exits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "codec/class_labels.h"
#include "core/file.h"
#include "learn/made_up_pictures.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MadeUpRecords;
using testing::TempDir;
using testing::WriteMadeUpData;

std::string Read(const std::string& path) {
  const auto bytes = ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

class TrainExitsTest : public ::testing::Test {
 protected:
  TrainExitsTest() { WriteMadeUpData(folder_); }

  TrainOptions Options(const std::string& name, int epochs) const {
    TrainOptions options;
    options.data = folder_.path();
    options.epochs = epochs;
    options.batch = 80;  // A whole shard and a part of one.
    options.threads = 1;
    options.out = folder_.path() + "/" + name + ".onnx";
    return options;
  }

  static TrainOutcome Train(const TrainOptions& options) {
    const auto outcome = TrainExits(options);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.value_or(TrainOutcome{});
  }

  static void ExpectRefused(const TrainOptions& options, const std::vector<std::string>& parts) {
    const auto outcome = TrainExits(options);
    ASSERT_FALSE(outcome.ok());
    for (const std::string& part : parts) {
      EXPECT_THAT(std::string(outcome.status().message()), HasSubstr(part));
    }
  }

  const TempDir folder_;
};

TEST_F(TrainExitsTest, TheLossFallsAndTheFilesAreWritten) {
  TrainOptions options = Options("net", 6);
  options.batch = 20;
  std::vector<double> shares;
  options.on_progress = [&](const TrainProgress& now) {
    if (now.read == 1) shares.push_back(now.share);
  };
  const TrainOutcome outcome = Train(options);
  ASSERT_EQ(outcome.epochs.size(), 6U);
  EXPECT_LT(outcome.epochs.back().loss, outcome.epochs.front().loss);
  ASSERT_EQ(outcome.exits.size(), 5U);
  EXPECT_EQ(outcome.exits.back().name, "exit5");
  // The file says what the network said, but for a tie or two.
  EXPECT_NEAR(outcome.exits.back().accuracy, outcome.epochs.back().accuracy.back(), 0.021);
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_EQ(shares.back(), 1);

  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(Read(options.out)));
  ASSERT_EQ(model.metadata_props_size(), 1);
  EXPECT_EQ(model.metadata_props(0).key(), "cleave.exits");
  EXPECT_EQ(model.metadata_props(0).value(), "exit1,exit2,exit3,exit4,exit5");
  const auto how = Preprocessing::FromSidecar(options.out, {});
  ASSERT_TRUE(how.ok()) << how.status();
  const Preprocessing trained = Cifar10Preprocessing();
  EXPECT_EQ(how->resize, 32);
  EXPECT_EQ(how->mean, trained.mean);
  EXPECT_EQ(how->deviation, trained.deviation);
  const auto labels = ClassLabelsOfModel(options.out);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre("airplane", "automobile", "bird", "cat", "deer", "dog", "frog",
                                   "horse", "ship", "truck"));
  EXPECT_THAT(Read(options.card_path()),
              AllOf(HasSubstr("| seed | 1 |"), HasSubstr("200 training and 50 test images"),
                    HasSubstr("| `exit5` |"), HasSubstr("| truck |"), HasSubstr("| time |")));
}

TEST_F(TrainExitsTest, ASeedDecidesEveryBitWhateverTheThreads) {
  Train(Options("a", 1));
  Train(Options("b", 1));
  EXPECT_EQ(Read(Options("a", 1).out), Read(Options("b", 1).out));
  TrainOptions two_threads = Options("c", 1);
  two_threads.threads = 2;
  Train(two_threads);
  EXPECT_EQ(Read(Options("a", 1).out), Read(two_threads.out));
  TrainOptions other = Options("d", 1);
  other.seed = 2;
  Train(other);
  EXPECT_NE(Read(Options("a", 1).out), Read(other.out));
}

TEST_F(TrainExitsTest, ResumingIsAsIfItHadNeverStopped) {
  Train(Options("whole", 3));
  TrainOptions first = Options("parts", 3);
  first.on_progress = [&first](const TrainProgress& now) {
    if (now.epoch_done) first.cancel.Cancel();
  };
  const auto stopped = TrainExits(first);
  EXPECT_TRUE(absl::IsCancelled(stopped.status())) << stopped.status();
  EXPECT_THAT(std::string(stopped.status().message()), HasSubstr("after 1 whole epoch"));
  TrainOptions rest = Options("parts", 3);
  rest.resume = true;
  EXPECT_EQ(Train(rest).epochs.size(), 3U);
  EXPECT_EQ(Read(Options("whole", 3).out), Read(rest.out));
}

TEST_F(TrainExitsTest, ResumingWithoutACheckpointBegins) {
  Train(Options("a", 1));
  TrainOptions resumed = Options("b", 1);
  resumed.resume = true;
  Train(resumed);
  EXPECT_EQ(Read(Options("a", 1).out), Read(resumed.out));
}

TEST_F(TrainExitsTest, ACheckpointOfOtherTrainingIsRefused) {
  Train(Options("net", 1));
  TrainOptions other = Options("net", 1);
  other.resume = true;
  other.epochs = 2;
  ExpectRefused(other, {"net.checkpoint", "epochs: found 1", "expected 2"});
  other = Options("net", 1);
  other.resume = true;
  other.exits = 3;
  ExpectRefused(other, {"net.checkpoint", "exits: found 5", "expected 3"});
  other = Options("net", 1);
  other.resume = true;
  folder_.Write("test_batch.bin", MadeUpRecords(50, 10));
  ExpectRefused(other, {"net.checkpoint", "data: found"});
}

TEST_F(TrainExitsTest, AHostileCheckpointIsRefused) {
  TrainOptions options = Options("net", 1);
  Train(options);
  options.resume = true;
  const std::string path = options.checkpoint_path();
  const std::string whole = Read(path);
  const auto parsed = Checkpoint::Parse(whole, path);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto store = [&](const Checkpoint& checkpoint) {
    folder_.Write("net.checkpoint", *checkpoint.Serialize());
  };

  folder_.Write("net.checkpoint", whole.substr(0, whole.size() / 2));
  ExpectRefused(options, {path, "damaged"});
  folder_.Write("net.checkpoint", "PK\x03\x04");
  ExpectRefused(options, {path, "no checkpoint"});

  Checkpoint reshaped = *parsed;
  reshaped.tensors["parameter.conv1.weight"] = *Tensor::FromFloats({1}, {0});
  store(reshaped);
  ExpectRefused(options, {path, "parameter.conv1.weight", "found 1", "expected 32x3x5x5"});
  Checkpoint short_of_one = *parsed;
  short_of_one.tensors.erase("velocity.fc6.bias");
  store(short_of_one);
  ExpectRefused(options, {path, "velocity.fc6.bias", "found none"});
  Checkpoint too_far = *parsed;
  too_far.epochs.push_back(too_far.epochs.back());
  store(too_far);
  ExpectRefused(options, {path, "epochs: found 2", "expected 1 to 1"});
  Checkpoint few_exits = *parsed;
  few_exits.epochs[0].accuracy.pop_back();
  store(few_exits);
  ExpectRefused(options, {path, "exits of an epoch: found 4"});
}

TEST_F(TrainExitsTest, BrokenDataAndOptionsAreNamed) {
  folder_.Write("data_batch_2.bin", "short");
  ExpectRefused(Options("net", 1), {"data_batch_2.bin", "found 5 bytes"});
  TrainOptions options = Options("net", 1);
  options.exits = 6;
  ExpectRefused(options, {"exits: found 6", "1 to 5"});
  options = Options("net", 0);
  ExpectRefused(options, {"epochs: found 0"});
  options = Options("net", 1);
  options.batch = 0;
  ExpectRefused(options, {"batch: found 0"});
  options = Options("net", 1);
  options.out = "net.bin";
  ExpectRefused(options, {"out: found net.bin", "FILE.onnx"});
}

}  // namespace
}  // namespace cleave
