#include "codec/cifar10.h"

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/picture_folders.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace fs = std::filesystem;
namespace {

constexpr int kSide = 32;
constexpr int kChannels = 3;
constexpr int kClasses = 10;
constexpr int kTrainFiles = 5;
constexpr std::size_t kPlane = std::size_t{kSide} * kSide;
constexpr std::size_t kRecordBytes = 1 + kPlane * kChannels;
constexpr std::int64_t kMaxRecords = 1'000'000;
constexpr std::array<const char*, kClasses> kClassNames = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

using Progress = std::function<void(double)>;

// Reads one file of records: each is the label, then a plane for each of R, G and B.
absl::Status ReadRecords(const std::string& path, LabelledImages& out) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxRecords * kRecordBytes));
  if (bytes.empty() || bytes.size() % kRecordBytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": size: found ", bytes.size(),
                                                   " bytes, expected a multiple of ", kRecordBytes,
                                                   " (1 label and 3 x 32 x 32 pixels)"));
  }
  const std::size_t count = bytes.size() / kRecordBytes;
  const std::size_t before = out.size();
  out.labels.resize(before + count);
  out.pixels.resize((before + count) * out.image_bytes);
  for (std::size_t record = 0; record < count; ++record) {
    const auto* in = reinterpret_cast<const std::uint8_t*>(bytes.data()) + record * kRecordBytes;
    if (*in >= kClasses) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": record ", record, ": label: found ",
                                                     int{*in}, ", expected 0 to ", kClasses - 1));
    }
    out.labels[before + record] = *in++;
    std::uint8_t* to = out.pixels.data() + (before + record) * out.image_bytes;
    for (std::size_t i = 0; i < kPlane; ++i) {
      for (int channel = 0; channel < kChannels; ++channel) *to++ = in[channel * kPlane + i];
    }
  }
  return absl::OkStatus();
}

absl::Status ReadBinary(const std::string& folder, const Preprocessing& how, const Progress& done,
                        ImageSet& set) {
  if (how.height != kSide || how.width != kSide) {
    return absl::InvalidArgumentError(absl::StrCat(folder, ": CIFAR-10's binary form is 32x32; ",
                                                   how.height, "x", how.width, " was asked for"));
  }
  set.classes.assign(kClassNames.begin(), kClassNames.end());
  for (int file = 1; file <= kTrainFiles; ++file) {
    CLEAVE_RETURN_IF_ERROR(
        ReadRecords(absl::StrCat(folder, "/data_batch_", file, ".bin"), set.train));
    done(file / (kTrainFiles + 1.0));
  }
  return ReadRecords(folder + "/test_batch.bin", set.test);
}

absl::Status Decode(const std::vector<PictureFile>& pictures, const Preprocessing& how,
                    const std::function<void()>& done, LabelledImages& out) {
  out.pixels.reserve(pictures.size() * out.image_bytes);
  for (const PictureFile& picture : pictures) {
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(picture.path, kMaxPictureBytes));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels,
                            ImageToPixels(bytes, how, picture.path));
    out.pixels.insert(out.pixels.end(), pixels.begin(), pixels.end());
    out.labels.push_back(static_cast<std::uint8_t>(picture.label));
    done();
  }
  return absl::OkStatus();
}

absl::Status ReadFolders(const std::string& folder, const Preprocessing& how, const Progress& done,
                         ImageSet& set) {
  CLEAVE_ASSIGN_OR_RETURN(PictureFolders found, ListPictureFolders(folder));
  set.classes = std::move(found.classes);
  std::size_t read = 0;
  const auto one = [&] {
    if (++read % 512 == 0) {
      done(static_cast<double>(read) / static_cast<double>(found.train.size() + found.test.size()));
    }
  };
  CLEAVE_RETURN_IF_ERROR(Decode(found.train, how, one, set.train));
  return Decode(found.test, how, one, set.test);
}

std::string Digest(const ImageSet& set) {
  Sha256 sha;
  sha.Update(absl::StrJoin(set.classes, "\n"));
  for (const LabelledImages* images : {&set.train, &set.test}) {
    for (const std::vector<std::uint8_t>* bytes : {&images->pixels, &images->labels}) {
      sha.Update(absl::StrCat("\n", bytes->size(), "\n"));
      sha.Update({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    }
  }
  return sha.HexDigest();
}

}  // namespace

Preprocessing Cifar10Preprocessing() {
  Preprocessing how;
  how.resize = kSide;
  how.height = kSide;
  how.width = kSide;
  how.mean = {0.4914F, 0.4822F, 0.4465F};
  how.deviation = {0.247F, 0.2435F, 0.2616F};
  return how;
}

absl::StatusOr<ImageSet> LoadImageSet(const std::string& folder, const Preprocessing& how,
                                      const Progress& on_progress) {
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  const auto done = [&](double share) {
    if (on_progress) on_progress(share);
  };
  ImageSet set;
  set.train.image_bytes = std::size_t{kChannels} * how.height * how.width;
  set.test.image_bytes = set.train.image_bytes;
  std::error_code unknown;
  if (fs::exists(folder + "/data_batch_1.bin", unknown)) {
    CLEAVE_RETURN_IF_ERROR(ReadBinary(folder, how, done, set));
  } else if (fs::is_directory(folder + "/train", unknown)) {
    CLEAVE_RETURN_IF_ERROR(ReadFolders(folder, how, done, set));
  } else {
    return absl::NotFoundError(
        absl::StrCat(folder,
                     ": found no training data, expected data_batch_1.bin to data_batch_5.bin and "
                     "test_batch.bin, or train/CLASS/ and test/CLASS/ with pictures"));
  }
  set.digest = Digest(set);
  return set;
}

}  // namespace cleave
