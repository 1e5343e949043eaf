#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/file.h"
#include "profile/profile.h"
#include "runtime/exit_models.h"
#include "support/branchy_model.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::cleave::testing::PoolModel;
using ::cleave::testing::SlowModel;
using ::cleave::testing::TempDir;

std::unique_ptr<Chain> ChainOf(const std::string& bytes) {
  const auto graph = Graph::FromBytes(bytes, "tiny.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  const auto cuts = EnumerateCuts(**graph);
  EXPECT_TRUE(cuts.ok()) << cuts.status();
  std::vector<int> all;
  for (const Cut& cut : cuts->cuts) all.push_back(cut.index);
  auto chain = Chain::Create(*graph, *cuts, all, {});
  EXPECT_TRUE(chain.ok()) << chain.status();
  return *std::move(chain);
}

class MeasureTest : public ::testing::Test {
 protected:
  MeasureTest() { setenv("CLEAVE_CACHE_DIR", cache_.path().c_str(), 1); }
  ~MeasureTest() override { unsetenv("CLEAVE_CACHE_DIR"); }
  TempDir cache_;
};

TEST_F(MeasureTest, MeasuresEverySegmentAtEveryBatch) {
  const auto chain = ChainOf(PoolModel());
  double last = 0;
  const auto profile = MeasureProfile(*chain, {}, {1, 3}, {}, [&](double share) {
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
    last = share;
  });
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(last, 1);
  EXPECT_EQ(profile->batches(), (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(profile->key(), MakeProfileKey(*chain, {}));
  EXPECT_EQ(profile->key().model_digest, chain->graph().digest());
  for (const auto& [batch, segments] : profile->by_batch()) {
    ASSERT_EQ(static_cast<int>(segments.size()), chain->segments());
    for (const SegmentTime& time : segments) {
      EXPECT_GE(time.median_us, 0);
      EXPECT_GE(time.runs, 5);
      EXPECT_LE(time.runs, 50);
    }
  }
}

TEST_F(MeasureTest, AnExitsProfileSaysWhichExit) {
  const auto graph = Graph::FromBytes(testing::BranchyModel(), "branchy.onnx");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto exits = BuildExitModels(*graph, {});
  ASSERT_TRUE(exits.ok()) << exits.status();
  for (const ExitModel& exit : *exits) {
    const auto profile = MeasureProfile(*exit.chain, {}, {1});
    ASSERT_TRUE(profile.ok()) << profile.status();
    EXPECT_EQ(profile->key().exit, exit.exit());
    EXPECT_EQ(profile->key().boundaries, exit.candidates);
  }
}

TEST_F(MeasureTest, EndsWhenCancelled) {
  const auto chain = ChainOf(PoolModel());
  const CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(MeasureProfile(*chain, {}, {1}, {}, {}, cancel).status().code(),
            absl::StatusCode::kCancelled);
}

TEST_F(MeasureTest, RefusesBatchesThatCannotRun) {
  const auto chain = ChainOf(PoolModel());
  for (const std::vector<std::int64_t>& batches :
       std::vector<std::vector<std::int64_t>>{{}, {0}, {1, -2}}) {
    EXPECT_EQ(MeasureProfile(*chain, {}, batches).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  const auto fixed = ChainOf(SlowModel(2));
  EXPECT_EQ(MeasureProfile(*fixed, {}, {7}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MeasureTest, SecondTimeComesFromTheCache) {
  const auto chain = ChainOf(PoolModel());
  int calls = 0;
  const auto count = [&calls](double) { ++calls; };
  const auto first = LoadOrMeasureProfile(*chain, {}, {1}, {}, count);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(calls, 0);
  calls = 0;
  const auto again = LoadOrMeasureProfile(*chain, {}, {1}, {}, count);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(again->ToJson(), first->ToJson());
  const auto more = LoadOrMeasureProfile(*chain, {}, {1, 2}, {}, count);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_GT(calls, 0);
  EXPECT_EQ(more->batches(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(more->TimeUs(0, chain->segments(), 1), first->TimeUs(0, chain->segments(), 1));
}

TEST_F(MeasureTest, ADamagedCacheIsMeasuredAgain) {
  const auto chain = ChainOf(PoolModel());
  ASSERT_TRUE(LoadOrMeasureProfile(*chain, {}, {1}).ok());
  const std::string path = ProfileCachePath(MakeProfileKey(*chain, {}));
  ASSERT_TRUE(std::filesystem::exists(path));
  std::ofstream(path, std::ios::trunc) << "{\"format\":";
  const auto again = LoadOrMeasureProfile(*chain, {}, {1});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(Profile::Load(path, MakeProfileKey(*chain, {})).ok());
}

TEST_F(MeasureTest, ACacheThatOthersMayWriteToIsNotUsed) {
  const auto chain = ChainOf(PoolModel());
  const ProfileKey key = MakeProfileKey(*chain, {});
  Profile theirs(key);
  theirs.SetBatch(1,
                  std::vector<SegmentTime>(static_cast<std::size_t>(chain->segments()), {1, 0, 1}));
  ASSERT_TRUE(SaveCachedProfile(theirs).ok());
  ASSERT_TRUE(LoadCachedProfile(key).ok());
  std::filesystem::permissions(CacheDir(), std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(LoadCachedProfile(key).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto own = LoadOrMeasureProfile(*chain, {}, {1});
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_NE(own->ToJson(), theirs.ToJson());
  EXPECT_EQ(Profile::Load(ProfileCachePath(key), key)->ToJson(), theirs.ToJson()) << "left alone";
}

}  // namespace
}  // namespace cleave
