#include "device/plan_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "device/models.h"
#include "policy/policy_spec.h"
#include "wire/payload.h"

namespace cleave {
namespace {

using testing::AddNode;
using testing::Describe;
using testing::EmptyModel;
using testing::TempDir;

constexpr int kLastExit = 4;
constexpr double kPictureBytes = 1234;

using Row = std::tuple<int, int, Encoding>;

Row RowOf(const Plan& plan) { return {plan.exit, plan.cut, plan.encoding}; }

std::vector<Row> RowsOf(const PlanTable& table) {
  std::vector<Row> rows;
  for (const PlanCost& cost : table.plans) rows.push_back(RowOf(cost.plan));
  return rows;
}

std::string Text(const Plan& plan) {
  return absl::StrCat(plan.cut, "/", EncodingName(plan.encoding), "/", plan.exit);
}

// The trained network and its calibration.
// A copy, which outlives the table.
std::vector<PlanCost> Plans(const std::shared_ptr<const PlanTable>& table) { return table->plans; }

class PlanTableTest : public ::testing::Test {
 protected:
  PlanTableTest() {
    setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    for (const char* name : {"/alexnet_cifar10.onnx", "/alexnet_cifar10.json"}) {
      std::filesystem::copy_file(std::string(CLEAVE_MODELS_DIR) + name, folder_.path() + name);
    }
  }

  LocalModel Load(const DeviceOptions& options = {}) const {
    return LocalModel::Load(folder_.path() + "/alexnet_cifar10.onnx", options).value();
  }

  static PlanTableTerms Terms(std::int64_t batch = 1, double picture_bytes = 0) {
    PlanTableTerms terms;
    terms.batch = batch;
    terms.picture_bytes = picture_bytes;
    terms.encodings = AllEncodings();
    return terms;
  }

  // An offer of every candidate cut of every exit, without profiles.
  static EdgeOffer FullOffer(const LocalModel& model) {
    EdgeOffer offer;
    for (const LocalExit& exit : model.exits) {
      EdgeOffer::Exit one;
      one.cuts = exit.model.candidates;
      one.cuts.pop_back();
      offer.exits.push_back(std::move(one));
    }
    return offer;
  }

  const TempDir folder_;
};

InputShapes AtBatch(const LocalModel& model, std::int64_t batch) {
  return WithBatch(*model.graph, model.shapes(), batch).value();
}

// The request that a device makes of such a plan.
double RequestBytes(const LocalModel& model, const Plan& plan, std::int64_t batch) {
  const ExitModel& exit = model.exits[static_cast<std::size_t>(plan.exit)].model;
  InferCall call;
  call.model = model.graph->name();
  call.id = "123";
  call.cut = plan.cut;
  call.exit = plan.exit;
  call.digest = model.graph->digest();
  for (const TensorSpec& spec : exit.table.cuts[static_cast<std::size_t>(plan.cut)].tensors) {
    Shape shape = spec.shape;
    shape.at(0) = batch;
    std::vector<float> values(static_cast<std::size_t>(ElementCount(shape).value()));
    std::iota(values.begin(), values.end(), 0.0F);
    call.inputs.push_back({spec.name, Tensor::FromFloats(shape, std::move(values)).value()});
  }
  if (plan.encoding != Encoding::kFp32) call.encode = EncodeOptionsFor(plan.encoding, batch);
  return static_cast<double>(EncodeRequest(call).value().bytes.Length());
}

TEST_F(PlanTableTest, HoldsEveryPlanThatWasCalibratedOnceAndInOrder) {
  const LocalModel model = Load();
  const auto table = MakePlanTable(model, nullptr, Terms(1, kPictureBytes));
  std::vector<Row> calibrated;
  for (const AccuracyRow& row : model.accuracy->rows()) calibrated.push_back(RowOf(row.plan));
  std::sort(calibrated.begin(), calibrated.end());
  EXPECT_EQ(RowsOf(*table), calibrated);
  EXPECT_EQ(table->batch, 1);
}

TEST_F(PlanTableTest, EndsWithTheMainExitOnTheDevice) {
  const LocalModel model = Load();
  const auto table = MakePlanTable(model, nullptr, Terms());
  const PlanCost& last = table->plans.back();
  EXPECT_EQ(last.plan, (Plan{kLastExit, model.main().model.last_cut(), Encoding::kFp32}));
  EXPECT_TRUE(last.exact);
  std::set<int> stay;
  for (const PlanCost& cost : table->plans) {
    const LocalExit& exit = model.exits[static_cast<std::size_t>(cost.plan.exit)];
    const bool local = cost.plan.cut == exit.model.last_cut();
    EXPECT_EQ(cost.remote(), !local) << Text(cost.plan);
    EXPECT_EQ(cost.exact, cost.plan.exit == kLastExit && IsExact(cost.plan.encoding));
    if (!local) continue;
    stay.insert(cost.plan.exit);
    EXPECT_EQ(cost.head_us, exit.TimeUs(0, cost.plan.cut, model.shapes()));
    EXPECT_EQ(cost.tail_us, 0);
  }
  EXPECT_EQ(stay.size(), 5U);
}

TEST_F(PlanTableTest, PicturesStartAtTheInputAndOnlyWhereTheyCome) {
  const LocalModel model = Load();
  for (const double picture_bytes : {0.0, kPictureBytes}) {
    int pictures = 0;
    for (const PlanCost& cost : Plans(MakePlanTable(model, nullptr, Terms(1, picture_bytes)))) {
      if (!IsPicture(cost.plan.encoding)) continue;
      EXPECT_EQ(cost.plan.cut, 0);
      ++pictures;
    }
    EXPECT_EQ(pictures, picture_bytes > 0 ? 4 * 5 : 0);
  }
}

TEST_F(PlanTableTest, BytesAreThoseOfTheRequest) {
  for (const std::int64_t batch : {1, 5}) {
    const LocalModel model = Load({.runtime = {.batch = batch}});
    for (const PlanCost& cost : Plans(MakePlanTable(model, nullptr, Terms(batch)))) {
      if (!cost.remote()) continue;
      EXPECT_NEAR(cost.bytes_up, RequestBytes(model, cost.plan, batch), 64)
          << Text(cost.plan) << " at batch " << batch;
    }
  }
}

TEST_F(PlanTableTest, BytesAtAnotherBatchScaleWithIt) {
  const LocalModel model = Load();
  const std::int64_t batch = 6;
  for (const PlanCost& cost : Plans(MakePlanTable(model, nullptr, Terms(batch)))) {
    if (!cost.remote()) continue;
    // What is not a tensor counts as often as the batch says, too.
    const double bytes = RequestBytes(model, cost.plan, batch);
    EXPECT_NEAR(cost.bytes_up, bytes, static_cast<double>(batch) * 400) << Text(cost.plan);
    EXPECT_GE(cost.bytes_up, bytes - 64) << Text(cost.plan);
  }
}

TEST_F(PlanTableTest, BytesOfPicturesAreThoseOfTheRequest) {
  const LocalModel model = Load();
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 32 * 32 * 3; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 37 % 253));
  InferCall call;
  call.model = model.graph->name();
  call.id = "123";
  call.cut = 0;
  call.exit = kLastExit;
  call.digest = model.graph->digest();
  call.preprocessing = *model.pictures;
  call.images = {EncodeJpeg(pixels, 32, 32, 60).value(), EncodeJpeg(pixels, 32, 32, 95).value()};
  const auto bytes = static_cast<double>(call.images[0].size() + call.images[1].size());
  for (const PlanCost& cost : Plans(MakePlanTable(model, nullptr, Terms(2, bytes)))) {
    if (cost.plan.encoding == Encoding::kJpeg) {
      EXPECT_NEAR(cost.bytes_up, static_cast<double>(EncodeRequest(call).value().bytes.Length()),
                  64);
    } else if (IsPicture(cost.plan.encoding)) {
      EXPECT_NEAR(cost.bytes_up, 2 * model.accuracy->Find(cost.plan)->bytes, 700);
    }
  }
}

TEST_F(PlanTableTest, APictureIsDecodedWhereItIsNeeded) {
  const LocalModel model = Load();
  const double picture_us = 700;
  PlanTableTerms terms = Terms(3, 3 * kPictureBytes);
  terms.encode.LearnPicture(picture_us, 1);
  for (const PlanCost& cost : Plans(MakePlanTable(model, nullptr, terms))) {
    SCOPED_TRACE(Text(cost.plan));
    const LocalExit& exit = model.exits[static_cast<std::size_t>(cost.plan.exit)];
    const bool picture = IsPicture(cost.plan.encoding);
    EXPECT_DOUBLE_EQ(cost.head_us, exit.TimeUs(0, cost.plan.cut, AtBatch(model, 3)) +
                                       (picture ? 0 : 3 * picture_us));
    if (!cost.remote()) continue;
    EXPECT_DOUBLE_EQ(cost.tail_on_device_us,
                     exit.TimeUs(cost.plan.cut, exit.model.last_cut(), AtBatch(model, 3)) +
                         (picture ? 3 * picture_us : 0));
    if (!picture) continue;
    if (cost.plan.encoding == Encoding::kJpeg) {
      EXPECT_LT(cost.encode_us, picture_us);
    } else {
      EXPECT_GE(cost.encode_us, 3 * picture_us);
    }
  }
}

TEST_F(PlanTableTest, AccuraciesAreTheSidecars) {
  const LocalModel model = Load();
  const AccuracyTable& calibration = *model.accuracy;
  const auto table = MakePlanTable(model, nullptr, Terms(1, kPictureBytes));
  EXPECT_EQ(table->best_accuracy, calibration.best_accuracy());
  for (const PlanCost& cost : table->plans) {
    const AccuracyRow* row = calibration.Find(cost.plan);
    ASSERT_NE(row, nullptr) << Text(cost.plan);
    EXPECT_EQ(cost.accuracy, calibration.AccuracyOf(*row)) << Text(cost.plan);
    if (row->entropy_bytes > 0 && row->entropy_bytes < row->bytes) {
      EXPECT_NEAR(cost.bytes_up - cost.entropy_bytes_up, row->bytes - row->entropy_bytes, 1e-6);
      EXPECT_GT(cost.entropy_us, 0);
    } else {
      EXPECT_EQ(cost.entropy_bytes_up, 0) << Text(cost.plan);
    }
  }
}

TEST_F(PlanTableTest, TwoCodersCostMoreThanOne) {
  const LocalModel model = Load();
  const auto table = MakePlanTable(model, nullptr, Terms(1, kPictureBytes));
  int pairs = 0;
  for (const PlanCost& few : table->plans) {
    if (few.plan.encoding != Encoding::kQ6 || few.entropy_us <= 0) continue;
    for (const PlanCost& whole : table->plans) {
      const bool beside = whole.plan.exit == few.plan.exit && whole.plan.cut == few.plan.cut;
      if (!beside || whole.plan.encoding != Encoding::kQ8 || whole.entropy_us <= 0) continue;
      EXPECT_GT(few.entropy_us / few.bytes_up, whole.entropy_us / whole.bytes_up);
      ++pairs;
    }
  }
  EXPECT_GT(pairs, 10);
}

TEST_F(PlanTableTest, WithoutACalibrationNoAccuracyIsKnown) {
  folder_.Write("alexnet_cifar10.json", R"({"preprocessing": {"resize": 32}})");
  const LocalModel model = Load();
  const auto table = MakePlanTable(model, nullptr, Terms(1, kPictureBytes));
  EXPECT_FALSE(table->best_accuracy.has_value());
  for (const PlanCost& cost : table->plans) {
    EXPECT_FALSE(cost.accuracy.has_value()) << Text(cost.plan);
    EXPECT_EQ(cost.entropy_bytes_up, 0) << Text(cost.plan);
    // Nobody knows how large these become.
    EXPECT_TRUE(!IsPicture(cost.plan.encoding) || cost.plan.encoding == Encoding::kJpeg);
  }
}

TEST_F(PlanTableTest, AnExitThatWasAskedForIsTheOnlyOne) {
  const LocalModel model = Load({.plans = {.exit = 2}});
  const auto table = MakePlanTable(model, nullptr, Terms(1, kPictureBytes));
  EXPECT_EQ(table->best_accuracy,
            model.accuracy->AccuracyOf(*model.accuracy->Find({2, 0, Encoding::kFp32})));
  for (const PlanCost& cost : table->plans) {
    EXPECT_EQ(cost.plan.exit, 2);
    EXPECT_EQ(cost.exact, IsExact(cost.plan.encoding)) << Text(cost.plan);
  }
  EXPECT_FALSE(table->plans.back().remote());
  std::vector<Row> rows = RowsOf(*table);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
}

TEST_F(PlanTableTest, PastTheFirstExitThereIsNothingBeforeIt) {
  const LocalModel model = Load();
  PlanTableTerms terms = Terms(1, kPictureBytes);
  terms.past_first_exit = true;
  std::vector<Row> expected;
  for (const Row& row : RowsOf(*MakePlanTable(model, nullptr, Terms(1, kPictureBytes)))) {
    const auto& [exit, cut, encoding] = row;
    if (exit == kLastExit && cut >= model.exits.front().model.fork.last_cut) {
      expected.push_back(row);
    }
  }
  EXPECT_EQ(RowsOf(*MakePlanTable(model, nullptr, terms)), expected);
  EXPECT_GT(std::get<1>(expected.front()), 0);
  EXPECT_GT(expected.size(), 8U) << "the rest of the trunk";
}

TEST_F(PlanTableTest, WhatAnEdgeDoesNotOfferIsLeftOut) {
  const LocalModel model = Load();
  EdgeOffer offer = FullOffer(model);
  EXPECT_EQ(RowsOf(*MakePlanTable(model, &offer, Terms())),
            RowsOf(*MakePlanTable(model, nullptr, Terms())));
  offer.exits[1].cuts = {3};
  offer.exits[2].cuts.clear();
  std::set<int> cuts_of_1;
  int of_2 = 0;
  for (const PlanCost& cost : Plans(MakePlanTable(model, &offer, Terms()))) {
    if (cost.plan.exit == 1 && cost.remote()) cuts_of_1.insert(cost.plan.cut);
    if (cost.plan.exit != 2) continue;
    EXPECT_FALSE(cost.remote());
    ++of_2;
  }
  EXPECT_THAT(cuts_of_1, ::testing::ElementsAre(3));
  EXPECT_EQ(of_2, 1) << "it still runs on the device";
}

TEST_F(PlanTableTest, APlainServerGetsTheInputsAsTheyAre) {
  const LocalModel model = Load();
  EdgeOffer plain;
  plain.plain = true;
  int remote = 0;
  for (const PlanCost& cost : Plans(MakePlanTable(model, &plain, Terms(1, kPictureBytes)))) {
    if (!cost.remote()) continue;
    EXPECT_EQ(cost.plan, (Plan{kLastExit, 0, Encoding::kFp32}));
    ++remote;
  }
  EXPECT_EQ(remote, 1);
}

TEST_F(PlanTableTest, WhatTheEdgeFoundTooLargeIsLeftOut) {
  const LocalModel model = Load();
  EdgeOffer offer = FullOffer(model);
  offer.max_request_bytes = 5000;
  const auto table = MakePlanTable(model, &offer, Terms());
  for (const PlanCost& cost : table->plans) EXPECT_LT(cost.bytes_up, 5000) << Text(cost.plan);
  EXPECT_TRUE(HasPlan(*table, {.cut = 0, .encoding = Encoding::kQ8}));
  EXPECT_FALSE(HasPlan(*table, {.cut = 0}));
}

TEST_F(PlanTableTest, TheEdgesProfileTellsTheTail) {
  const LocalModel model = Load();
  EdgeOffer offer = FullOffer(model);
  const LocalExit& exit = model.exits[1];
  ProfileKey key;
  key.boundaries = exit.model.candidates;
  auto profile = std::make_shared<Profile>(key);
  profile->Set(model.shapes(),
               std::vector<SegmentTime>(exit.model.candidates.size() - 1, {1000, 0, 1}));
  offer.exits[1].profile = profile;
  for (const PlanCost& cost : Plans(MakePlanTable(model, &offer, Terms()))) {
    if (!cost.remote()) continue;
    const LocalExit& own = model.exits[static_cast<std::size_t>(cost.plan.exit)];
    const double here_us = own.TimeUs(cost.plan.cut, own.model.last_cut(), model.shapes());
    EXPECT_EQ(cost.tail_on_device_us, here_us);
    const int segments = own.chain().segments() - own.chain().BoundaryOf(cost.plan.cut);
    EXPECT_EQ(cost.tail_us, cost.plan.exit == 1 ? 1000.0 * segments : here_us) << Text(cost.plan);
  }
}

// x [N,3,8,8] -> Cast "i" INT64 -> Neg "n" INT64 -> Cast "f" -> GlobalAveragePool y.
std::string IntegerModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 3, 8, 8}, *graph.add_input());
  Describe("y", {-1, 3, 1, 1}, *graph.add_output());
  const auto cast = [&](const char* from, const char* to, onnx::TensorProto::DataType type) {
    onnx::AttributeProto& attribute = *AddNode(graph, "Cast", {from}, to).add_attribute();
    attribute.set_name("to");
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(type);
  };
  cast("x", "i", onnx::TensorProto::INT64);
  AddNode(graph, "Neg", {"i"}, "n");
  cast("n", "f", onnx::TensorProto::FLOAT);
  AddNode(graph, "GlobalAveragePool", {"f"}, "y");
  return model.SerializeAsString();
}

TEST_F(PlanTableTest, WhatIsNoFloatTravelsAsItIs) {
  DeviceOptions options;
  options.plans.cuts = "all";
  const auto model = LocalModel::Load(folder_.Write("integers.onnx", IntegerModel()), options);
  ASSERT_TRUE(model.ok()) << model.status();
  int integers = 0;
  int lossy = 0;
  for (const PlanCost& cost : Plans(MakePlanTable(*model, nullptr, Terms()))) {
    const CutInfo& cut = model->main().model.table.cuts.at(static_cast<std::size_t>(cost.plan.cut));
    if (cut.tensors.at(0).dtype == DataType::kFloat32) {
      lossy += IsExact(cost.plan.encoding) ? 0 : 1;
      continue;
    }
    EXPECT_EQ(cost.plan.encoding, Encoding::kFp32) << Text(cost.plan);
    ++integers;
  }
  EXPECT_EQ(integers, 2);
  EXPECT_EQ(lossy, 7 * 2) << "of the input and of f";
}

TEST(EncodeOptionsForTest, EachItemOfABatchHasARangeOfItsOwn) {
  for (const Encoding encoding : AllEncodings()) {
    const EncodeOptions one = EncodeOptionsFor(encoding, 1);
    EXPECT_EQ(one.encoding, encoding);
    EXPECT_EQ(one.range, EncodeOptions::Range::kPerTensor);
    const EncodeOptions many = EncodeOptionsFor(encoding, 2);
    EXPECT_EQ(many.encoding, encoding);
    EXPECT_EQ(many.range, EncodeOptions::Range::kPerChannel);
    EXPECT_EQ(many.channel_axis, 0);
  }
}

// A neighbour a thousand times larger changes nothing.
TEST(EncodeOptionsForTest, AnItemsLevelsDoNotDependOnItsNeighbours) {
  std::vector<float> small(50);
  for (std::size_t i = 0; i < small.size(); ++i) small[i] = static_cast<float>(i * i % 31) / 31;
  std::vector<float> both = small;
  for (const float value : small) both.push_back(1000 * value);
  for (const Encoding encoding : {Encoding::kQ8, Encoding::kQ5, Encoding::kQ2}) {
    const auto there_and_back = [&](Shape shape, const std::vector<float>& values) {
      const EncodeOptions options = EncodeOptionsFor(encoding, shape.at(0));
      const Tensor tensor = Tensor::FromFloats(std::move(shape), values).value();
      return DecodeTensor(EncodeTensor(tensor, options).value(), "frame", 100).value();
    };
    const Tensor alone = there_and_back({1, 50}, small);
    const Tensor beside = there_and_back({2, 50}, both);
    EXPECT_TRUE(std::equal(alone.floats().begin(), alone.floats().end(), beside.floats().begin()))
        << EncodingName(encoding);
  }
}

}  // namespace
}  // namespace cleave
