#include "device/shape_costs.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "device/plan_table.h"
#include "support/odd_models.h"

namespace cleave {
namespace {

class ShapeCostsTest : public ::testing::Test {
 protected:
  ShapeCostsTest() { setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1); }

  // The model with free height and width, opened at 1x3x16x16. Each segment takes 100 us there.
  LocalModel Load() const {
    const std::string path =
        folder_.Write("net.onnx", testing::FreeSizeModel().SerializeAsString());
    DeviceOptions options;
    options.plans.cuts = "all";
    options.runtime.shapes["x"] = {1, 3, 16, 16};
    LocalModel model = LocalModel::Load(path, options).value();
    LocalExit& exit = model.exits[0];
    exit.profile = Profile(exit.profile.key());
    exit.profile.Set(model.shapes(), std::vector<SegmentTime>(Segments(exit), {100, 0, 5}));
    return model;
  }

  static std::size_t Segments(const LocalExit& exit) {
    return static_cast<std::size_t>(exit.chain().segments());
  }

  // A run of the segments from `from` on that took so long each.
  static ChainResult RunOf(const std::vector<std::int64_t>& segment_us) {
    ChainResult run;
    run.segment_us = segment_us;
    for (const std::int64_t us : segment_us) run.run_us += us;
    return run;
  }

  const testing::TempDir folder_;
  const InputShapes large_ = {{1, 3, 32, 32}};
};

TEST_F(ShapeCostsTest, AnUnknownShapeCostsByItsElements) {
  const LocalModel model = Load();
  const LocalExit& exit = model.main();
  EXPECT_DOUBLE_EQ(SegmentsUs(exit, 0, 2, model.shapes(), nullptr), 200);
  EXPECT_DOUBLE_EQ(SegmentsUs(exit, 0, 2, large_, nullptr), 800);
  EXPECT_TRUE(KnowsSegments(exit, 0, 2, model.shapes(), nullptr));
  EXPECT_FALSE(KnowsSegments(exit, 0, 2, large_, nullptr));
}

TEST_F(ShapeCostsTest, RunsCorrectTheGuessAndWhatTheySayOfOtherSegments) {
  const LocalModel model = Load();
  const LocalExit& exit = model.main();
  ShapeBook book(model);
  EXPECT_EQ(book.Get(large_), nullptr);
  // The device is twice as slow as its profile, and the work grew by 3 where 4 was guessed.
  book.AddRun(exit, 0, large_, RunOf({600, 600}), 2);
  const auto costs = book.Get(large_);
  ASSERT_NE(costs, nullptr);
  EXPECT_DOUBLE_EQ(SegmentsUs(exit, 0, 2, large_, costs.get()), 600);
  EXPECT_DOUBLE_EQ(SegmentsUs(exit, 2, 3, large_, costs.get()), 300);
  EXPECT_TRUE(KnowsSegments(exit, 0, 2, large_, costs.get()));
  EXPECT_FALSE(KnowsSegments(exit, 0, 3, large_, costs.get()));
  // What the profile measured stays as it is.
  book.AddRun(exit, 0, model.shapes(), RunOf({900}), 1);
  EXPECT_EQ(book.Get(model.shapes()), nullptr);
}

TEST_F(ShapeCostsTest, TheFirstRunsAreAveraged) {
  const LocalModel model = Load();
  const LocalExit& exit = model.main();
  ShapeBook book(model);
  for (const std::int64_t us : {300, 500, 400}) book.AddRun(exit, 0, large_, RunOf({us}), 1);
  EXPECT_NEAR(SegmentsUs(exit, 0, 1, large_, book.Get(large_).get()), 400, 20);
}

TEST_F(ShapeCostsTest, SmallChangesMakeNoNewTable) {
  const LocalModel model = Load();
  ShapeBook book(model);
  book.AddRun(model.main(), 0, large_, RunOf({1000}), 1);
  const auto before = book.Get(large_);
  book.AddRun(model.main(), 0, large_, RunOf({1010}), 1);
  EXPECT_EQ(book.Get(large_), before);
  book.AddRun(model.main(), 0, large_, RunOf({4000}), 1);
  EXPECT_NE(book.Get(large_), before);
}

TEST_F(ShapeCostsTest, KeepsTheShapesUsedLast) {
  const LocalModel model = Load();
  ShapeBook book(model);
  const auto shape = [](std::int64_t side) { return InputShapes{{1, 3, side, 8}}; };
  const auto most = static_cast<std::int64_t>(ShapeBook::kMostShapes);
  for (std::int64_t side = 1; side <= most; ++side) {
    book.AddRun(model.main(), 0, shape(side), RunOf({10}), 1);
  }
  book.AddRun(model.main(), 0, shape(1), RunOf({10}), 1);
  book.AddRun(model.main(), 0, shape(most + 1), RunOf({10}), 1);
  EXPECT_NE(book.Get(shape(1)), nullptr);
  EXPECT_EQ(book.Get(shape(2)), nullptr);
  EXPECT_NE(book.Get(shape(3)), nullptr);
}

TEST_F(ShapeCostsTest, APlanTableFollowsShapesAndWhatRunsShowed) {
  const LocalModel model = Load();
  const LocalExit& exit = model.main();
  ShapeBook book(model);
  PlanTableTerms terms;
  terms.encodings = {Encoding::kFp32};
  const auto plan_at = [&](int cut) {
    const auto table = MakePlanTable(model, nullptr, terms);
    for (const PlanCost& cost : table->plans) {
      if (cost.plan.cut == cut) return cost;
    }
    ADD_FAILURE() << "no cut " << cut;
    return PlanCost();
  };
  const double opened_bytes = plan_at(1).bytes_up;
  terms.shapes = large_;
  EXPECT_NEAR(plan_at(1).bytes_up, 4 * opened_bytes, 1);
  EXPECT_DOUBLE_EQ(plan_at(1).head_us, 400);

  const auto inputs = RandomInputs(SpecsOf(*model.graph, large_), 1);
  auto run = exit.chain().Run(0, exit.chain().segments(), *inputs, {}, Chain::Report::kLiveTypes);
  ASSERT_TRUE(run.ok()) << run.status();
  run->segment_us.assign(Segments(exit), 250);
  run->run_us = 250 * exit.chain().segments();
  book.AddRun(exit, 0, large_, *run, 1);
  book.AddTail(large_, 0.5);
  terms.costs = book.Get(large_);
  const PlanCost learned = plan_at(1);
  EXPECT_DOUBLE_EQ(learned.head_us, 250);
  EXPECT_DOUBLE_EQ(learned.tail_us, 0.5 * 400 * (exit.chain().segments() - 1));
  // 8 channels of 32x32 floats, and a little for the message around them.
  EXPECT_NEAR(learned.bytes_up, 8 * 32 * 32 * 4, 400);
}

}  // namespace
}  // namespace cleave
