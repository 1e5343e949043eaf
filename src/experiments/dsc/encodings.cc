#include "experiments/dsc/encodings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/input_preprocessing.h"
#include "codec/picture.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "experiments/dsc/point.h"
#include "wire/client.h"

namespace cleave::experiments::dsc {
namespace {

constexpr std::array kTensorEncodings = {Encoding::kFp32, Encoding::kFp16, Encoding::kQ8,
                                         Encoding::kQ4, Encoding::kQ2};
constexpr int kQuality = 90;
constexpr int kDecodeRuns = 7;
// How much fainter detail of half the size is.
constexpr double kFading = 0.5;

// A value from 0 to 1 that belongs to a point of a lattice.
double Lattice(std::uint32_t x, std::uint32_t y, std::uint32_t layer) {
  std::uint32_t hash = (x * 0x9E3779B1U) ^ (y * 0x85EBCA77U) ^ (layer * 0xC2B2AE3DU);
  hash = (hash ^ (hash >> 15U)) * 0x2C1B3C6DU;
  hash = (hash ^ (hash >> 12U)) * 0x297A2D39U;
  return (hash ^ (hash >> 15U)) / 4294967296.0;
}

// Lattice values `scale` pixels apart, blended smoothly between them.
double SmoothNoise(int x, int y, int scale, std::uint32_t layer) {
  const auto blend = [](double t) { return t * t * (3 - 2 * t); };
  const double across = blend(static_cast<double>(x % scale) / scale);
  const double down = blend(static_cast<double>(y % scale) / scale);
  const auto left = static_cast<std::uint32_t>(x / scale);
  const auto top = static_cast<std::uint32_t>(y / scale);
  return std::lerp(
      std::lerp(Lattice(left, top, layer), Lattice(left + 1, top, layer), across),
      std::lerp(Lattice(left, top + 1, layer), Lattice(left + 1, top + 1, layer), across), down);
}

// Light is what all channels share; each has a slow tint of its own.
double Brightness(int x, int y, int channel, int side) {
  double light = 0;
  double weights = 0;
  double weight = 1;
  std::uint32_t layer = 0;
  for (int scale = std::max(1, side / 2); scale >= 2; scale /= 2, weight *= kFading, ++layer) {
    light += weight * SmoothNoise(x, y, scale, layer);
    weights += weight;
  }
  const auto tint_layer = 100 + static_cast<std::uint32_t>(channel);
  const double tint = SmoothNoise(x, y, std::max(1, side / 2), tint_layer);
  return 0.75 * (weights > 0 ? light / weights : 0.5) + 0.25 * tint;
}

PictureFacts NoPicture(std::string why) {
  PictureFacts facts;
  facts.note = std::move(why);
  return facts;
}

absl::StatusOr<Preprocessing> PreprocessingOf(const std::vector<TensorSpec>& inputs,
                                              const std::string& model_path) {
  if (inputs.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", inputs.size(), " inputs, expected one that a picture becomes"));
  }
  CLEAVE_RETURN_IF_ERROR(CheckTakesPictures(inputs[0], "sending a picture"));
  const Shape& shape = inputs[0].shape;
  if (shape[1] != 3 && shape[3] != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("found an input of shape ", ShapeString(shape), ", expected three channels"));
  }
  CLEAVE_ASSIGN_OR_RETURN(Preprocessing how, PreprocessingFor(inputs[0], model_path, {}));
  if (how.fit == Preprocessing::Fit::kCrop) how.resize = std::min(how.height, how.width);
  return how;
}

absl::StatusOr<double> MeasureDecodeUs(const std::string& jpeg, const Preprocessing& how) {
  std::vector<double> times_us;
  for (int i = 0; i < kDecodeRuns; ++i) {
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_RETURN_IF_ERROR(ImageToTensor(jpeg, how, "made-up picture").status());
    times_us.push_back(static_cast<double>(Clock::Steady().NowUs() - start_us));
  }
  return Median(std::move(times_us));
}

absl::StatusOr<PictureFacts> TryPicture(const std::vector<TensorSpec>& inputs,
                                        const std::string& model_path, std::int64_t given_bytes) {
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how, PreprocessingOf(inputs, model_path));
  CLEAVE_ASSIGN_OR_RETURN(const std::string jpeg, EncodeJpeg(MadeUpPicture(how.height, how.width),
                                                             how.height, how.width, kQuality));
  PictureFacts facts{.made_up = given_bytes == 0, .height = how.height, .width = how.width};
  facts.bytes = static_cast<double>(facts.made_up ? jpeg.size() : given_bytes);
  CLEAVE_ASSIGN_OR_RETURN(facts.decode_us, MeasureDecodeUs(jpeg, how));
  return facts;
}

// The row of a picture's file at cut 0: like the tensor's, but for what travels and is decoded. A
// camera hands the file over, so that the device has nothing to do.
rig::Forecast PictureRow(const rig::Forecast& tensor, const PictureFacts& picture,
                         std::int64_t batch) {
  const auto items = static_cast<double>(batch);
  rig::Forecast row = tensor;
  row.encoding = Encoding::kJpeg;
  row.bytes_up = static_cast<double>(
      EstimatePictureMessageBytes(std::llround(picture.bytes * items), static_cast<int>(batch)));
  row.head_us = 0;
  row.encode_us = 0;
  row.tail_us += picture.decode_us * items;
  return row;
}

std::vector<rig::Forecast> RowsOf(const std::vector<rig::Forecast>& rows, Encoding encoding) {
  std::vector<rig::Forecast> mine = rig::OfEncoding(rows, encoding);
  std::erase_if(mine, [](const rig::Forecast& row) { return row.bytes_up <= 0; });
  return mine;
}

EncodingChoice Fastest(const std::vector<rig::Forecast>& rows, Encoding encoding, double rate_bps) {
  EncodingChoice best{.encoding = encoding, .predicted_us = INFINITY};
  for (const rig::Forecast& row : rows) {
    const double time_us = PredictUs(row, rate_bps);
    if (time_us >= best.predicted_us) continue;
    best.cut = row.cut;
    best.bytes_up = row.bytes_up;
    best.predicted_us = time_us;
    best.accuracy = row.accuracy;
  }
  return best;
}

// Runs the device once, as at a point of the grid, so that the forecast knows how fast it is now.
absl::StatusOr<std::vector<rig::Forecast>> ExplainAfterARun(rig::Worker& worker) {
  CLEAVE_RETURN_IF_ERROR(worker.Infer("device").status());
  return worker.Explain();
}

// What there is to choose among, by encoding; the device alone is a choice of every encoding of
// tensors, and no choice of jpeg.
std::vector<std::pair<Encoding, std::vector<rig::Forecast>>> Choices(
    const std::vector<rig::Forecast>& rows, std::int64_t batch, const PictureFacts& picture) {
  std::vector<std::pair<Encoding, std::vector<rig::Forecast>>> choices;
  for (const Encoding encoding : kTensorEncodings) {
    std::vector<rig::Forecast> mine = RowsOf(rows, encoding);
    if (mine.empty()) continue;
    mine.push_back(rows.back());
    choices.emplace_back(encoding, std::move(mine));
  }
  for (const rig::Forecast& row : RowsOf(rows, Encoding::kFp32)) {
    if (row.cut != 0 || picture.bytes <= 0) continue;
    choices.emplace_back(Encoding::kJpeg,
                         std::vector<rig::Forecast>{PictureRow(row, picture, batch)});
  }
  return choices;
}

}  // namespace

std::vector<std::uint8_t> MadeUpPicture(int height, int width) {
  std::vector<std::uint8_t> pixels;
  pixels.reserve(3 * static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        const double light = Brightness(x, y, channel, std::min(height, width));
        pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * light)));
      }
    }
  }
  return pixels;
}

PictureFacts FindPicture(const std::vector<TensorSpec>& inputs, const std::string& model_path,
                         std::int64_t given_bytes) {
  absl::StatusOr<PictureFacts> facts = TryPicture(inputs, model_path, given_bytes);
  return facts.ok() ? *std::move(facts) : NoPicture(std::string(facts.status().message()));
}

EncodingForecast ForecastEncodings(const std::vector<rig::Forecast>& rows,
                                   std::vector<double> rates_bps, std::int64_t batch,
                                   const PictureFacts& picture) {
  EncodingForecast forecast{.batch = batch, .picture = picture};
  if (rows.empty()) return forecast;
  forecast.last_cut = rows.back().cut;
  forecast.device_us = PredictUs(rows.back(), 1);
  forecast.calibrated = std::any_of(
      rows.begin(), rows.end(), [](const rig::Forecast& row) { return row.accuracy.has_value(); });
  std::sort(rates_bps.begin(), rates_bps.end());
  rates_bps.erase(std::unique(rates_bps.begin(), rates_bps.end()), rates_bps.end());
  const auto choices = Choices(rows, batch, picture);
  for (const double rate_bps : rates_bps) {
    EncodingRate at{.rate_bps = rate_bps};
    for (const auto& [encoding, mine] : choices) {
      at.choices.push_back(Fastest(mine, encoding, rate_bps));
    }
    forecast.rates.push_back(std::move(at));
  }
  return forecast;
}

bool Covers(const EncodingForecast& forecast, const std::vector<double>& rates_bps,
            std::int64_t given_bytes) {
  const PictureFacts& picture = forecast.picture;
  const bool same_picture =
      !picture.note.empty() ||
      (given_bytes == 0 ? picture.made_up
                        : !picture.made_up && std::llround(picture.bytes) == given_bytes);
  return same_picture && std::all_of(rates_bps.begin(), rates_bps.end(), [&](double rate_bps) {
           return std::any_of(
               forecast.rates.begin(), forecast.rates.end(),
               [&](const EncodingRate& known) { return known.rate_bps == rate_bps; });
         });
}

absl::StatusOr<EncodingForecast> MeasureEncodings(rig::Worker& worker,
                                                  std::vector<double> rates_bps, std::int64_t batch,
                                                  const PictureFacts& picture) {
  worker.Wake();
  const absl::StatusOr<std::vector<rig::Forecast>> rows = ExplainAfterARun(worker);
  worker.Sleep();
  CLEAVE_RETURN_IF_ERROR(rows.status());
  return ForecastEncodings(*rows, std::move(rates_bps), batch, picture);
}

}  // namespace cleave::experiments::dsc
