// Frames, pictures and exits through an edge that serves models/alexnet_cifar10.onnx.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cleave/edge.h"
#include "codec/input_preprocessing.h"
#include "codec/picture.h"
#include "core/status_macros.h"
#include "detect/detections_tensor.h"
#include "profile/profile.h"
#include "runtime/exit_models.h"
#include "support/branchy_model.h"
#include "support/cell_detector.h"
#include "support/tiny_models.h"
#include "wire/client.h"

namespace cleave {
namespace {

using testing::BranchyModel;
using testing::CellDetector;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using testing::MeanModel;
using ::testing::Pointwise;
using testing::PoolModel;
using testing::TempDir;

constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr char kModel[] = CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx";
constexpr int kExits = 5;

std::vector<float> FloatsOf(const Tensor& tensor) {
  return {tensor.floats().begin(), tensor.floats().end()};
}

std::string Picture(int side, int seed) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side) * side * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(
        127 + 120 * std::sin(static_cast<double>(i * static_cast<std::size_t>(seed)) * 0.01));
  }
  return EncodeJpeg(pixels, side, side, 90).value();
}

class ServedModelTest : public ::testing::Test {
 protected:
  // One for all tests; ends with the test program.
  struct Served {
    Served() {
      setenv("CLEAVE_CACHE_DIR", cache.path().c_str(), 1);
      EdgeOptions options;
      options.models = {kModel, models.Write("pool.onnx", PoolModel()),
                        models.Write("bytes.onnx", MeanModel(onnx::TensorProto::UINT8)),
                        models.Write("halves.onnx", MeanModel(onnx::TensorProto::FLOAT16)),
                        CellDetector::Write(models.path())};
      options.listen = "127.0.0.1:0";
      edge = Edge::Start(options).value();
      ClientOptions client_options;
      client_options.target = absl::StrCat("127.0.0.1:", edge->port());
      client = EdgeClient::Create(client_options).value();
      graph = Graph::Load(kModel).value();
      exits = BuildExitModels(graph, {}).value();
      inputs = RandomInputs(*graph, 2, 7).value();
      how = Preprocessing::FromSidecar(kModel, {}).value();
    }
    TempDir cache;
    TempDir models;
    std::unique_ptr<Edge> edge;
    std::unique_ptr<EdgeClient> client;
    std::shared_ptr<const Graph> graph;
    std::vector<ExitModel> exits;  // As a device would have them.
    std::vector<NamedTensor> inputs;
    Preprocessing how;
  };
  static Served& served() {
    static Served served;
    return served;
  }

  static absl::StatusOr<InferReply> Infer(const InferCall& call) {
    CLEAVE_ASSIGN_OR_RETURN(InferExchange done, served().client->Infer(call, kMinuteUs));
    return std::move(done.reply);
  }
  static std::string ErrorOf(const InferCall& call) {
    const absl::Status status = Infer(call).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }
  static InferCall Whole() {
    InferCall call;
    call.model = "alexnet_cifar10";
    call.inputs = served().inputs;
    return call;
  }
  static InferCall Pictures() {
    InferCall call = Whole();
    call.inputs.clear();
    call.images = {Picture(50, 3), Picture(32, 5), Picture(200, 7)};
    call.preprocessing = served().how;
    return call;
  }
};

TEST_F(ServedModelTest, ArePartOfTheMetadata) {
  const ModelInfo info = served().client->GetModel("alexnet_cifar10", kMinuteUs).value();
  EXPECT_THAT(info.cuts, ElementsAre(0));
  EXPECT_EQ(info.outputs.size(), kExits);
  ASSERT_EQ(info.exits.size(), kExits);
  for (int exit = 0; exit < kExits; ++exit) {
    const ExitModel& here = served().exits[exit];
    EXPECT_EQ(info.exits[exit].name, absl::StrCat("exit", exit + 1));
    EXPECT_EQ(info.exits[exit].cuts,
              std::vector<int>(here.candidates.begin(), here.candidates.end() - 1));
  }
  EXPECT_TRUE(served().client->GetModel("pool", kMinuteUs)->exits.empty());
}

TEST_F(ServedModelTest, APlainClientGetsAllOutputsOfTheWholeModel) {
  const auto expected = WholeModel::Create(*served().graph, {}).value()->Run(served().inputs);
  ASSERT_TRUE(expected.ok());
  const InferReply reply = Infer(Whole()).value();
  ASSERT_EQ(reply.outputs.size(), kExits);
  for (int i = 0; i < kExits; ++i) {
    EXPECT_EQ(reply.outputs[i].name, (*expected)[i].name);
    EXPECT_EQ(reply.outputs[i].tensor.shape(), (*expected)[i].tensor.shape());
    EXPECT_THAT(FloatsOf(reply.outputs[i].tensor),
                Pointwise(FloatNear(1e-4F), FloatsOf((*expected)[i].tensor)));
  }
  InferCall two = Whole();
  two.cut = 0;
  two.outputs = {"exit4", "exit1"};
  const InferReply some = Infer(two).value();
  ASSERT_EQ(some.outputs.size(), 2U);
  EXPECT_EQ(some.outputs[0].name, "exit4");
  EXPECT_EQ(FloatsOf(some.outputs[1].tensor), FloatsOf(reply.outputs[0].tensor));
}

TEST_F(ServedModelTest, EveryTailGivesWhatTheDevicesOwnWouldGive) {
  for (const ExitModel& exit : served().exits) {
    const Chain& chain = *exit.chain;
    for (int boundary = 0; boundary < chain.segments(); ++boundary) {
      InferCall call = Whole();
      call.exit = exit.exit();
      call.cut = chain.boundaries()[boundary];
      call.inputs = chain.Run(0, boundary, served().inputs)->tensors;
      const auto expected = chain.Run(boundary, chain.segments(), call.inputs)->tensors;
      const InferReply reply = Infer(call).value();
      ASSERT_EQ(reply.outputs.size(), 1U);
      EXPECT_EQ(reply.outputs[0].name, absl::StrCat("exit", exit.exit() + 1));
      EXPECT_EQ(FloatsOf(reply.outputs[0].tensor), FloatsOf(expected.at(0).tensor));
    }
  }
}

TEST_F(ServedModelTest, ATailFromAFrameIsTheTailOfWhatTheFrameDecodesTo) {
  const ExitModel& exit = served().exits[3];
  const Chain& chain = *exit.chain;
  const int boundary = chain.segments() / 2;
  InferCall call = Whole();
  call.exit = 3;
  call.cut = chain.boundaries()[boundary];
  call.inputs = chain.Run(0, boundary, served().inputs)->tensors;
  for (const Encoding encoding : {Encoding::kFp32, Encoding::kFp16, Encoding::kQ8, Encoding::kQ4}) {
    for (const bool entropy : {false, true}) {
      call.encode = EncodeOptions{.encoding = encoding, .entropy = entropy};
      std::vector<NamedTensor> decoded = call.inputs;
      for (NamedTensor& input : decoded) {
        const std::string frame = EncodeTensor(input.tensor, *call.encode).value();
        input.tensor = DecodeTensor(frame, "frame", input.tensor.elements()).value();
      }
      const auto expected = chain.Run(boundary, chain.segments(), decoded)->tensors;
      const InferReply reply = Infer(call).value();
      EXPECT_EQ(FloatsOf(reply.outputs.at(0).tensor), FloatsOf(expected.at(0).tensor))
          << EncodingName(encoding);
    }
  }
}

TEST_F(ServedModelTest, PicturesGiveWhatTheDevicesOwnTensorsGiveBitForBit) {
  for (const Encoding encoding :
       {Encoding::kJpeg, Encoding::kJpeg90, Encoding::kJpeg75, Encoding::kJpeg50}) {
    SCOPED_TRACE(std::string(EncodingName(encoding)));
    InferCall pictures = Pictures();
    std::vector<Tensor> tensors;
    for (std::string& image : pictures.images) {
      const auto travels = EncodePicture(image, served().how, encoding, "p").value();
      tensors.push_back(ImageToTensor(travels.file, travels.how, "p").value());
      image = travels.file;
      pictures.preprocessing = travels.how;
    }
    InferCall tensor = Whole();
    tensor.inputs[0].tensor = StackBatch(tensors).value();
    for (const std::optional<int> exit : {std::optional<int>(), std::optional<int>(1)}) {
      pictures.exit = tensor.exit = exit;
      const InferReply there = Infer(pictures).value();
      const InferReply here = Infer(tensor).value();
      ASSERT_EQ(there.outputs.size(), here.outputs.size());
      for (std::size_t i = 0; i < here.outputs.size(); ++i) {
        EXPECT_EQ(there.outputs[i].name, here.outputs[i].name);
        EXPECT_EQ(there.outputs[i].tensor.bytes(), here.outputs[i].tensor.bytes());
      }
      EXPECT_GT(there.decode_us, 0);
      EXPECT_EQ(here.decode_us, 0);
      EXPECT_GE(there.edge_us, there.decode_us + there.compute_us);
    }
  }
}

TEST_F(ServedModelTest, PicturesBecomeBytesAndHalvesToo) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 64; ++i) pixels.insert(pixels.end(), {200, 100, 50});
  InferCall call;
  call.images = {EncodeJpeg(pixels, 8, 8, 100).value()};
  call.preprocessing.emplace();
  Preprocessing& how = *call.preprocessing;
  how.height = how.width = how.resize = 8;
  how.KeepValues();
  how.channel_order = Preprocessing::ChannelOrder::kBgr;
  const auto means = [&](const char* model, DataType datatype) {
    call.model = model;
    how.datatype = datatype;
    return FloatsOf(Infer(call).value().outputs.at(0).tensor);
  };
  const std::vector<float> expected = {50, 100, 200};
  EXPECT_THAT(means("bytes", DataType::kUint8), Pointwise(FloatNear(2), expected));
  EXPECT_THAT(means("halves", DataType::kFloat16), Pointwise(FloatNear(2), expected));
  how.datatype = DataType::kFloat32;
  EXPECT_THAT(ErrorOf(call), HasSubstr("found FP32 1x3x8x8, expected FP16 ?x3x8x8"));
}

TEST_F(ServedModelTest, WhatDoesNotFitSaysWhatWould) {
  InferCall call = Whole();
  call.exit = 5;
  EXPECT_THAT(ErrorOf(call), HasSubstr("found exit 5, expected one of 0 ('exit1'), 1 ('exit2')"));
  call = Whole();
  call.cut = 1;
  EXPECT_THAT(ErrorOf(call), HasSubstr("found cut 1 without an exit, expected cut 0"));
  call.exit = 2;
  call.cut = served().exits[2].last_cut();
  EXPECT_THAT(ErrorOf(call), HasSubstr("exit 2: found cut"));
  call = Whole();
  call.exit = 1;
  call.outputs = {"exit3"};
  EXPECT_THAT(ErrorOf(call), HasSubstr("exit 1: found an output 'exit3', expected of 'exit2'"));
  EXPECT_TRUE(Infer(Whole()).ok());
}

TEST_F(ServedModelTest, PicturesThatDoNotFitSayWhatWould) {
  InferCall call = Pictures();
  call.preprocessing->height = call.preprocessing->width = call.preprocessing->resize = 64;
  EXPECT_THAT(ErrorOf(call), HasSubstr("found FP32 3x3x64x64, expected FP32 ?x3x32x32"));
  call = Pictures();
  call.preprocessing->channels_first = false;
  EXPECT_THAT(ErrorOf(call), HasSubstr("found FP32 3x32x32x3"));
  call = Pictures();
  call.image_input = "other";
  EXPECT_THAT(ErrorOf(call), HasSubstr("found an input 'other'"));
  call.image_input = served().graph->inputs()[0].name;
  EXPECT_TRUE(Infer(call).ok());
  call = Pictures();
  call.images[1].resize(call.images[1].size() / 2);
  EXPECT_THAT(ErrorOf(call), HasSubstr("picture 1"));
  call = Pictures();
  call.exit = 4;
  call.cut = served().exits[4].candidates[1];
  EXPECT_THAT(ErrorOf(call), HasSubstr("found pictures, expected 1 tensors"));
  EXPECT_TRUE(Infer(Pictures()).ok());
}

TEST_F(ServedModelTest, ADetectorAnswersWithDetectionsWhereTheyAreWanted) {
  const std::string path = served().models.path() + "/cells.onnx";
  InferCall call;
  call.model = "cells";
  call.images = {CellDetector::Picture(0, 1, 2), CellDetector::Picture(2, 1, 1),
                 CellDetector::Picture(1, 3, 0)};
  call.preprocessing = *PreprocessingFor(
      {"x", DataType::kFloat32, {-1, 3, CellDetector::kSide, CellDetector::kSide}}, path, {});
  call.detections.emplace();
  call.detections->head = **DetectionHead::OfModel(path);
  call.detections->input = {CellDetector::kSide, CellDetector::kSide};
  const auto reply = Infer(call);
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(reply->outputs.size(), 1U);
  EXPECT_EQ(reply->outputs[0].name, "detections");
  const auto found = DetectionsOf(reply->outputs[0].tensor, 3);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ((*found)[0].size(), 1U);
  EXPECT_EQ((*found)[0][0].class_index, 0);
  EXPECT_NEAR((*found)[0][0].box.x0, 4, 0.01) << "a cell's width from the middle at 12";
  EXPECT_TRUE((*found)[1].empty()) << "blue is no class";
  ASSERT_EQ((*found)[2].size(), 1U);
  EXPECT_EQ((*found)[2][0].class_index, 1);
  EXPECT_NEAR((*found)[2][0].box.x1, 36, 0.01) << "beyond the input's edge";

  call.detections->head.outputs.scores = {"nothing"};
  EXPECT_THAT(ErrorOf(call), HasSubstr("model 'cells': found an output 'nothing'"));
  call.detections->head = **DetectionHead::OfModel(path);
  call.detections->head.classes = 3;
  EXPECT_THAT(ErrorOf(call), HasSubstr("found scores of 2 classes, expected 3"));
}

TEST_F(ServedModelTest, OfAModelWithoutExitsThereIsOne) {
  InferCall call = Whole();
  call.model = "pool";
  call.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {2, 3, 8, 8}).value()}};
  call.exit = 0;
  EXPECT_TRUE(Infer(call).ok());
  call.exit = 1;
  EXPECT_THAT(ErrorOf(call), HasSubstr("found exit 1, expected 0, as it has no early exits"));
}

TEST_F(ServedModelTest, AnOutputThatIsNoExitIsRefusedAtTheStart) {
  const TempDir folder;
  EdgeOptions options;
  options.models = {folder.Write("branchy.onnx", BranchyModel("exit1,exit3"))};
  options.listen = "127.0.0.1:0";
  const absl::Status status = Edge::Start(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("found an output 'exit2' that is none of its 2 exits"));
}

TEST_F(ServedModelTest, EachHasAProfileOfItsOwn) {
  const auto profile = [](int exit) {
    return served().client->GetProfile("alexnet_cifar10", "", exit, {.batches = {1}, .points = {}},
                                       kMinuteUs);
  };
  for (const int exit : {0, 2}) {
    const Profile read = Profile::FromJson(profile(exit).value(), "edge").value();
    EXPECT_EQ(read.key().exit, exit);
    EXPECT_EQ(read.key().boundaries, served().exits[exit].candidates);
  }
  for (const int exit : {-1, 5}) {
    EXPECT_EQ(profile(exit).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace cleave
