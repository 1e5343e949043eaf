#include "app/cropped_pictures.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>

#include "app/samples.h"
#include "codec/image.h"
#include "codec/image_reader.h"
#include "codec/resample.h"
#include "core/check.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/shuffle.h"
#include "core/status_macros.h"
#include "core/uniform.h"

namespace cleave::app {
namespace {

constexpr std::int64_t kMaxPictureBytes = std::int64_t{1} << 28;
constexpr double kLeastShare = 0.15;
constexpr double kMostStretch = 0.3;  // The logarithm of a side's factor.
constexpr int kLeastSide = 32;

double Between(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * DrawUniform(random);
}

int Side(double share, int whole) {
  return std::min(whole, std::max(kLeastSide, static_cast<int>(share * whole)));
}

int Offset(std::mt19937_64& random, int room) {
  return static_cast<int>(random() % static_cast<std::uint64_t>(room + 1));
}

Window DrawWindow(ImageSize of, std::mt19937_64& random) {
  const double share = std::exp(Between(random, std::log(kLeastShare), 0));
  const double stretch = std::exp(Between(random, -kMostStretch, kMostStretch));
  Window window;
  window.size = {Side(share * stretch, of.width), Side(share / stretch, of.height)};
  window.left = Offset(random, of.width - window.size.width);
  window.top = Offset(random, of.height - window.size.height);
  return window;
}

absl::StatusOr<Tensor> InputOf(const RgbImage& image, const Preprocessing& how,
                               const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels, FitPixels(image, how, origin));
  return PixelsToTensor(pixels, how);
}

}  // namespace

absl::Status CropOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("samples", samples, 1));
  return CheckAtLeast<std::int64_t>("crops", crops, 0);
}

absl::StatusOr<CroppedPictures> CroppedPictures::Open(const CropOptions& options,
                                                      const Preprocessing& how) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> paths, FindPictures(options.data));
  if (paths.empty()) return FieldError(options.data, "no picture", "some");
  std::mt19937_64 random(options.seed);
  if (paths.size() > static_cast<std::size_t>(options.samples)) {
    Shuffle(paths, random);
    paths.resize(static_cast<std::size_t>(options.samples));
  }
  std::sort(paths.begin(), paths.end());
  return CroppedPictures(options, how, std::move(paths));
}

absl::StatusOr<CroppedPictures::Read> CroppedPictures::ReadPicture(std::size_t index) const {
  const std::string& path = paths_[index];
  CLEAVE_ASSIGN_OR_RETURN(const std::string file, ReadFile(path, kMaxPictureBytes));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader, ImageReader::Open(file, path));
  CLEAVE_ASSIGN_OR_RETURN(const RgbImage whole, reader->ReadUpright());
  Read read;
  read.digest = Sha256Hex(file);
  CLEAVE_ASSIGN_OR_RETURN(Tensor input, InputOf(whole, how_, path));
  read.pictures.push_back({std::move(input), true});
  std::mt19937_64 random(options_.seed + 1 + index);
  for (std::int64_t i = 0; i < options_.crops; ++i) {
    const RgbImage part = Resample(whole, whole.size, DrawWindow(whole.size, random));
    CLEAVE_ASSIGN_OR_RETURN(input, InputOf(part, how_, path));
    read.pictures.push_back({std::move(input), false});
  }
  return read;
}

}  // namespace cleave::app
