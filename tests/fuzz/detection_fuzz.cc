// Whatever a detector's outputs hold, the detections lie within the picture and make sense, and as
// a tensor they are taken by whoever gets it; so is every other tensor, or refused.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "detect/decode.h"
#include "detect/detections_tensor.h"

namespace {

using cleave::DetectionHead;
using Kind = DetectionHead::Kind;

constexpr std::array kKinds = {Kind::kBoxesScoresLabels, Kind::kBoxesScoresPerClass, Kind::kYoloV5,
                               Kind::kYoloV8, Kind::kDistribution};
constexpr int kWidth = 32;
constexpr int kHeight = 16;
// An input of this size has 4 x 2 points of stride 8 and 2 x 1 of stride 16.
constexpr std::int64_t kPoints = 10;

// The first bytes choose, the rest are floats; what is missing is 0.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::uint8_t Next() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }

  cleave::NamedTensor Output(const std::string& name, cleave::Shape shape) {
    std::vector<float> values(static_cast<std::size_t>(*cleave::ElementCount(shape)));
    const std::size_t taken = std::min(values.size() * sizeof(float), size_);
    if (taken > 0) std::memcpy(values.data(), data_, taken);
    data_ += taken;
    size_ -= taken;
    return {name, *cleave::Tensor::FromFloats(std::move(shape), std::move(values))};
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

void Check(const std::vector<cleave::Detection>& found, const DetectionHead& head) {
  if (found.size() > static_cast<std::size_t>(head.most)) std::abort();
  double before = 1;
  for (const cleave::Detection& each : found) {
    const cleave::Box& box = each.box;
    const bool sound = box.x0 >= 0 && box.x0 < box.x1 && box.x1 <= kWidth && box.y0 >= 0 &&
                       box.y0 < box.y1 && box.y1 <= kHeight && each.class_index >= 0 &&
                       each.score >= head.score_threshold && each.score <= before;
    if (!sound) std::abort();
    before = each.score;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  DetectionHead head = DetectionHead::Of(kKinds[bytes.Next() % kKinds.size()]);
  head.box_format = static_cast<DetectionHead::BoxFormat>(bytes.Next() % 4);
  head.normalized = bytes.Next() % 2 != 0;
  head.activation = static_cast<DetectionHead::Activation>(bytes.Next() % 3);
  head.first_class = bytes.Next() % 2;
  head.score_threshold = (bytes.Next() % 5) / 4.0;
  head.most = 1 + bytes.Next() % 8;
  head.strides = {8, 16};
  const std::int64_t rows = bytes.Next() % 8;
  const std::int64_t classes = 1 + bytes.Next() % 3;
  std::vector<cleave::NamedTensor> outputs;
  switch (head.kind) {
    case Kind::kBoxesScoresLabels:
      head.outputs = {.boxes = "boxes", .labels = "labels", .scores = {"scores"}};
      if (head.activation == DetectionHead::Activation::kSoftmax) return 0;
      outputs = {bytes.Output("boxes", {1, rows, 4}), bytes.Output("scores", {1, rows}),
                 bytes.Output("labels", {1, rows})};
      break;
    case Kind::kBoxesScoresPerClass:
      head.outputs = {.boxes = "boxes", .scores = {"scores"}};
      outputs = {bytes.Output("boxes", {1, rows, 4}), bytes.Output("scores", {1, rows, classes})};
      break;
    case Kind::kYoloV5:
      head.outputs.predictions = "out";
      outputs = {bytes.Output("out", {1, rows, 5 + classes})};
      break;
    case Kind::kYoloV8:
      head.outputs.predictions = "out";
      outputs = {bytes.Output("out", {1, 4 + classes, rows})};
      break;
    default:
      head.outputs.predictions = "out";
      head.reg_max = 2;
      outputs = {bytes.Output("out", {1, kPoints, classes + 12})};
  }
  if (!head.Validate().ok()) std::abort();
  cleave::InputToPicture map;
  map.upright = {kWidth, kHeight};
  const auto found = cleave::Decode(outputs, head, {{kWidth, kHeight}, {map}});
  if (!found.ok()) return 0;
  for (const auto& item : *found) Check(item, head);
  const auto in_input = cleave::DecodeInInput(outputs, head, {kWidth, kHeight});
  if (!in_input.ok()) std::abort();
  if (!cleave::DetectionsOf(cleave::DetectionsTensor(*in_input), 1).ok()) std::abort();
  const auto stranger = cleave::DetectionsOf(bytes.Output("detections", {rows, 7}).tensor, 2);
  if (stranger.ok() && stranger->size() != 2) std::abort();
  return 0;
}
