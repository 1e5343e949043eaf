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

std::vector<InputShapes> At(const Chain& chain, const std::vector<std::int64_t>& batches) {
  std::vector<InputShapes> points;
  for (const std::int64_t batch : batches) {
    points.push_back(ShapesAtBatch(chain.graph(), batch).value());
  }
  return points;
}

std::vector<InputShapes> ShapesIn(const Profile& profile) {
  std::vector<InputShapes> shapes;
  for (const Profile::Point& point : profile.Points()) shapes.push_back(point.shapes);
  return shapes;
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
  const auto profile = MeasureProfile(*chain, {}, At(*chain, {1, 3}), {}, [&](double share) {
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
    last = share;
  });
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(last, 1);
  EXPECT_EQ(ShapesIn(*profile), At(*chain, {1, 3}));
  EXPECT_EQ(profile->key(), MakeProfileKey(*chain, {}));
  EXPECT_EQ(profile->key().model_digest, chain->graph().digest());
  for (const Profile::Point& point : profile->Points()) {
    ASSERT_EQ(static_cast<int>(point.segments.size()), chain->segments());
    for (const SegmentTime& time : point.segments) {
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
    const auto profile = MeasureProfile(*exit.chain, {}, At(*exit.chain, {1}));
    ASSERT_TRUE(profile.ok()) << profile.status();
    EXPECT_EQ(profile->key().exit, exit.exit());
    EXPECT_EQ(profile->key().boundaries, exit.candidates);
  }
}

TEST_F(MeasureTest, EndsWhenCancelled) {
  const auto chain = ChainOf(PoolModel());
  const CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(MeasureProfile(*chain, {}, At(*chain, {1}), {}, {}, cancel).status().code(),
            absl::StatusCode::kCancelled);
}

TEST_F(MeasureTest, RefusesShapesThatCannotRun) {
  const auto chain = ChainOf(PoolModel());
  const InputShapes right = {{1, 3, 8, 8}};
  for (const std::vector<InputShapes>& points :
       std::vector<std::vector<InputShapes>>{{},
                                             {{}},
                                             {{{1, 4, 8, 8}}},
                                             {{{1, 3, 8}}},
                                             {right, {{-2, 3, 8, 8}}},
                                             {{right[0], {1}}}}) {
    EXPECT_EQ(MeasureProfile(*chain, {}, points).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  const auto fixed = ChainOf(SlowModel(2));
  EXPECT_EQ(MeasureProfile(*fixed, {}, {{{7, 512}}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(MeasureTest, SecondTimeComesFromTheCache) {
  const auto chain = ChainOf(PoolModel());
  int calls = 0;
  const auto count = [&calls](double) { ++calls; };
  const auto first = LoadOrMeasureProfile(*chain, {}, At(*chain, {1}), {}, count);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(calls, 0);
  calls = 0;
  const auto again = LoadOrMeasureProfile(*chain, {}, At(*chain, {1}), {}, count);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(again->ToJson(), first->ToJson());
  const auto more = LoadOrMeasureProfile(*chain, {}, At(*chain, {1, 2}), {}, count);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_GT(calls, 0);
  EXPECT_EQ(ShapesIn(*more), At(*chain, {1, 2}));
  EXPECT_EQ(more->TimeUs(0, chain->segments(), At(*chain, {1})[0]),
            first->TimeUs(0, chain->segments(), At(*chain, {1})[0]));
}

TEST_F(MeasureTest, ADamagedCacheIsMeasuredAgain) {
  const auto chain = ChainOf(PoolModel());
  ASSERT_TRUE(LoadOrMeasureProfile(*chain, {}, At(*chain, {1})).ok());
  const std::string path = ProfileCachePath(MakeProfileKey(*chain, {}));
  ASSERT_TRUE(std::filesystem::exists(path));
  std::ofstream(path, std::ios::trunc) << "{\"format\":";
  const auto again = LoadOrMeasureProfile(*chain, {}, At(*chain, {1}));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(Profile::Load(path, MakeProfileKey(*chain, {})).ok());
}

TEST_F(MeasureTest, ACacheThatOthersMayWriteToIsNotUsed) {
  const auto chain = ChainOf(PoolModel());
  const ProfileKey key = MakeProfileKey(*chain, {});
  Profile theirs(key);
  theirs.Set(At(*chain, {1})[0],
             std::vector<SegmentTime>(static_cast<std::size_t>(chain->segments()), {1, 0, 1}));
  ASSERT_TRUE(SaveCachedProfile(theirs).ok());
  ASSERT_TRUE(LoadCachedProfile(key).ok());
  std::filesystem::permissions(CacheDir(), std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(LoadCachedProfile(key).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto own = LoadOrMeasureProfile(*chain, {}, At(*chain, {1}));
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_NE(own->ToJson(), theirs.ToJson());
  EXPECT_EQ(Profile::Load(ProfileCachePath(key), key)->ToJson(), theirs.ToJson()) << "left alone";
}

}  // namespace
}  // namespace cleave
