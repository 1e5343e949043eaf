#ifndef CLEAVE_TESTS_DEVICE_ELASTIC_FIXTURE_H_
#define CLEAVE_TESTS_DEVICE_ELASTIC_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cleave/device.h"
#include "codec/picture.h"
#include "device/device_impl.h"
#include "device/fake_edge.h"
#include "profile/accuracy_table.h"
#include "support/tiny_models.h"

namespace cleave::testing {

inline constexpr int kLastExit = 4;

inline std::string Picture(int seed) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 32 * 32 * 3; ++i) {
    pixels.push_back(static_cast<std::uint8_t>((i / 96 * 5 + i % 96 * seed) % 251));
  }
  return *EncodeJpeg(pixels, 32, 32, 90);
}

// The trained network of five exits, before an edge of our own.
class ElasticDeviceTest : public ::testing::Test {
 protected:
  ElasticDeviceTest() {
    setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    path_ = folder_.path() + "/net.onnx";
    std::filesystem::copy(CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx", path_);
    graph_ = *Graph::Load(path_);
    how_ = {.resize = 32, .height = 32, .width = 32};
    folder_.Write("net.json", how_.ToJson());
  }

  absl::StatusOr<std::unique_ptr<Device>> TryOpen(DeviceOptions options) {
    DeviceSurroundings surroundings;
    surroundings.connect =
        [this](const ClientOptions&) -> absl::StatusOr<std::unique_ptr<EdgeClient>> {
      return std::make_unique<FakeEdge>(graph_, script_);
    };
    options.edge.address = "edge:1";
    options.edge.remote_timeout_us = 2'000'000;
    return OpenDevice(path_, std::move(options), surroundings);
  }

  std::unique_ptr<Device> Open(DeviceOptions options) {
    auto device = TryOpen(std::move(options));
    EXPECT_TRUE(device.ok()) << device.status();
    return device.ok() ? *std::move(device) : nullptr;
  }

  // Accuracy rises with the exit, falls by a point for each bit less and two for a worse picture.
  void Calibrate() {
    std::vector<AccuracyRow> rows;
    ExitModelsOptions options;
    const std::vector<ExitModel> exits = *BuildExitTables(graph_, options);
    for (const ExitModel& exit : exits) {
      for (const int cut : exit.candidates) {
        for (const Encoding encoding : AllEncodings()) {
          const bool local = cut == exit.last_cut();
          if ((IsPicture(encoding) && cut > 0) || (local && encoding != Encoding::kFp32)) continue;
          const int worse = IsExact(encoding) ? 0 : 10 * static_cast<int>(encoding);
          rows.push_back({{exit.exit(), cut, encoding},
                          900 - 20 * (kLastExit - exit.exit()) - worse,
                          local ? 0.0 : 1000,
                          0});
        }
      }
    }
    const auto table = AccuracyTable::Create(
        {.model_digest = graph_->digest(), .data_digest = std::string(64, 'a'), .samples = 1000},
        std::move(rows));
    ASSERT_TRUE(table.ok()) << table.status();
    const auto saved = table->Save(path_);
    ASSERT_TRUE(saved.ok()) << saved.status();
  }

  std::vector<NamedTensor> Inputs(int seed) const {
    return {{"image", *ImageToTensor(Picture(seed), how_, "picture")}};
  }

  TempDir folder_;
  std::string path_;
  std::shared_ptr<const Graph> graph_;
  Preprocessing how_;
  FakeEdgeScript script_;
};

inline std::vector<float> Logits(const InferenceRecord& record) {
  EXPECT_EQ(record.outputs.size(), 1U);
  const std::span<const float> values = record.outputs.front().tensor.floats();
  return {values.begin(), values.end()};
}

inline double WorstDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max<double>(worst, std::abs(a[i] - b[i]));
  }
  return worst;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_DEVICE_ELASTIC_FIXTURE_H_
