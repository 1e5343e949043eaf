#include "learn/labelled_pictures.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <random>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/cifar10.h"
#include "codec/picture_folders.h"
#include "core/check.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/shuffle.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kChannels = 3;

// Places of at most `limit` pictures, ascending: the classes take turns, and of a class pictures
// are drawn.
std::vector<std::size_t> Choose(std::span<const int> labels, std::size_t classes,
                                std::int64_t limit, std::uint64_t seed) {
  std::vector<std::vector<std::size_t>> of_class(classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    of_class[static_cast<std::size_t>(labels[i])].push_back(i);
  }
  std::mt19937_64 random(seed);
  for (auto& places : of_class) Shuffle(places, random);
  const std::size_t most =
      limit == 0 ? labels.size() : std::min(labels.size(), static_cast<std::size_t>(limit));
  std::vector<std::size_t> chosen;
  for (std::size_t turn = 0; chosen.size() < most; ++turn) {
    for (const auto& places : of_class) {
      if (turn < places.size() && chosen.size() < most) chosen.push_back(places[turn]);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

template <typename Values>
void KeepChosen(const std::vector<std::size_t>& chosen, Values& values) {
  Values kept;
  kept.reserve(chosen.size());
  for (const std::size_t place : chosen) kept.push_back(values[place]);
  values = std::move(kept);
}

class FolderPictures final : public LabelledPictures {
 public:
  FolderPictures(PictureFolders folders, const Preprocessing& how, const PictureLimits& limits)
      : LabelledPictures(how), classes_(std::move(folders.classes)) {
    Take(std::move(folders.train), limits.train, limits.seed, Part::kTrain);
    Take(std::move(folders.test), limits.test, limits.seed, Part::kTest);
  }

  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<int>& labels(Part part) const override { return labels_[At(part)]; }

 private:
  static std::size_t At(Part part) { return static_cast<std::size_t>(part); }

  void Take(std::vector<PictureFile> files, std::int64_t limit, std::uint64_t seed, Part part) {
    std::vector<int>& labels = labels_[At(part)];
    for (const PictureFile& file : files) labels.push_back(file.label);
    const std::vector<std::size_t> chosen = Choose(labels, classes_.size(), limit, seed);
    KeepChosen(chosen, labels);
    KeepChosen(chosen, files);
    files_[At(part)] = std::move(files);
  }

  absl::StatusOr<std::string> Bytes(Part part, std::size_t index) const override {
    return ReadFile(files_[At(part)][index].path, kMaxPictureBytes);
  }

  absl::StatusOr<std::vector<std::uint8_t>> Pixels(Part part, std::size_t index) const override {
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, Bytes(part, index));
    return ImageToPixels(bytes, how(), files_[At(part)][index].path);
  }

  std::vector<std::string> classes_;
  std::array<std::vector<PictureFile>, 2> files_;
  std::array<std::vector<int>, 2> labels_;
};

class HeldPictures final : public LabelledPictures {
 public:
  HeldPictures(ImageSet set, const Preprocessing& how, const PictureLimits& limits)
      : LabelledPictures(how), set_(std::move(set)) {
    Take(set_.train, limits.train, limits.seed, Part::kTrain);
    Take(set_.test, limits.test, limits.seed, Part::kTest);
  }

  const std::vector<std::string>& classes() const override { return set_.classes; }
  const std::vector<int>& labels(Part part) const override { return labels_[At(part)]; }

 private:
  static std::size_t At(Part part) { return static_cast<std::size_t>(part); }

  void Take(const LabelledImages& images, std::int64_t limit, std::uint64_t seed, Part part) {
    std::vector<int>& labels = labels_[At(part)];
    labels.assign(images.labels.begin(), images.labels.end());
    chosen_[At(part)] = Choose(labels, set_.classes.size(), limit, seed);
    KeepChosen(chosen_[At(part)], labels);
  }

  std::span<const std::uint8_t> Image(Part part, std::size_t index) const {
    return (part == Part::kTrain ? set_.train : set_.test).image(chosen_[At(part)][index]);
  }

  absl::StatusOr<std::string> Bytes(Part part, std::size_t index) const override {
    const std::span<const std::uint8_t> image = Image(part, index);
    return std::string(image.begin(), image.end());
  }

  absl::StatusOr<std::vector<std::uint8_t>> Pixels(Part part, std::size_t index) const override {
    const std::span<const std::uint8_t> image = Image(part, index);
    return std::vector<std::uint8_t>(image.begin(), image.end());
  }

  ImageSet set_;
  std::array<std::vector<std::size_t>, 2> chosen_;
  std::array<std::vector<int>, 2> labels_;
};

absl::Status CheckLimits(const PictureLimits& limits, const LabelledPictures& pictures) {
  const auto classes = static_cast<std::int64_t>(pictures.classes().size());
  if (limits.train != 0 && limits.train < classes) {
    return FieldError("samples", limits.train,
                      absl::StrCat(classes, " or more, one for each class"));
  }
  if (limits.test < 0) {
    return FieldError("test samples", limits.test, "0 (all) or more");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LabelledPictures>> LabelledPictures::Open(
    const std::string& folder, const Preprocessing& how, const PictureLimits& limits) {
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  std::error_code unknown;
  std::unique_ptr<LabelledPictures> pictures;
  if (!std::filesystem::exists(folder + "/data_batch_1.bin", unknown) &&
      std::filesystem::is_directory(folder + "/train", unknown)) {
    CLEAVE_ASSIGN_OR_RETURN(PictureFolders folders, ListPictureFolders(folder));
    pictures = std::make_unique<FolderPictures>(std::move(folders), how, limits);
  } else {
    CLEAVE_ASSIGN_OR_RETURN(ImageSet set, LoadImageSet(folder, how));
    pictures = std::make_unique<HeldPictures>(std::move(set), how, limits);
  }
  CLEAVE_RETURN_IF_ERROR(CheckLimits(limits, *pictures));
  return pictures;
}

absl::StatusOr<Tensor> LabelledPictures::Batch(Part part, std::size_t first, std::size_t count,
                                               std::size_t rows) const {
  const std::size_t size =
      kChannels * static_cast<std::size_t>(how_.height) * static_cast<std::size_t>(how_.width);
  std::vector<float> values(rows * size);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::span<float> out = std::span(values).subspan(row * size, size);
    if (row >= count) {
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>((count - 1) * size), size,
                  out.begin());
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels, Pixels(part, first + row));
    NormalizePixels(pixels, how_, out);
  }
  const auto batch = static_cast<std::int64_t>(rows);
  return Tensor::FromFloats(how_.channels_first ? Shape{batch, 3, how_.height, how_.width}
                                                : Shape{batch, how_.height, how_.width, 3},
                            std::move(values));
}

absl::StatusOr<std::string> LabelledPictures::Digest() const {
  Sha256 sha;
  sha.Update(absl::StrJoin(classes(), "\n"));
  for (const Part part : {Part::kTrain, Part::kTest}) {
    sha.Update(absl::StrCat("\n", labels(part).size(), "\n"));
    for (std::size_t i = 0; i < labels(part).size(); ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, Bytes(part, i));
      sha.Update(absl::StrCat(labels(part)[i], " ", bytes.size(), "\n"));
      sha.Update(bytes);
    }
  }
  return sha.HexDigest();
}

}  // namespace cleave
