#include "app/samples.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <span>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "codec/cifar10.h"
#include "codec/image_reader.h"
#include "core/check.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/shuffle.h"
#include "core/status_macros.h"

namespace cleave::app {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxPictureBytes = std::int64_t{1} << 28;
constexpr std::int64_t kMaxLabelsBytes = std::int64_t{1} << 28;

// Names in a folder, sorted; hidden ones left out.
struct Listing {
  std::vector<std::string> folders;
  std::vector<std::string> pictures;
};

absl::StatusOr<Listing> List(const std::string& folder) {
  Listing listing;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unknown;
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.')) continue;
    if (entry->is_directory(unknown)) {
      listing.folders.push_back(name);
    } else if (HasImageEnding(entry->path().string())) {
      listing.pictures.push_back(name);
    }
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be read"));
  std::sort(listing.folders.begin(), listing.folders.end());
  std::sort(listing.pictures.begin(), listing.pictures.end());
  return listing;
}

absl::StatusOr<std::vector<Sample>> FromFolders(const std::string& folder,
                                                const std::vector<std::string>& names,
                                                int classes) {
  if (static_cast<int>(names.size()) != classes) {
    return FieldError(folder, absl::StrCat(names.size(), " folders of classes"),
                      absl::StrCat(classes, ", as many as the model has logits"));
  }
  std::vector<Sample> samples;
  for (int label = 0; label < classes; ++label) {
    const std::string inside = absl::StrCat(folder, "/", names[label]);
    CLEAVE_ASSIGN_OR_RETURN(const Listing listing, List(inside));
    if (listing.pictures.empty())
      return FieldError(inside, "no picture", absl::StrCat(kImageEndings, " files"));
    for (const std::string& name : listing.pictures) {
      samples.push_back({absl::StrCat(inside, "/", name), {}, label});
    }
  }
  return samples;
}

std::vector<Sample> WithoutLabels(const std::string& folder,
                                  const std::vector<std::string>& names) {
  std::vector<Sample> samples;
  samples.reserve(names.size());
  for (const std::string& name : names) {
    samples.push_back({absl::StrCat(folder, "/", name), {}, std::nullopt});
  }
  return samples;
}

absl::StatusOr<std::vector<Sample>> FromLabelsFile(const SampleOptions& options, int classes) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(options.labels, kMaxLabelsBytes));
  std::vector<Sample> samples;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    const std::string origin = absl::StrCat(options.labels, ":", number);
    const std::size_t space = line.find_last_of(" \t");
    int label = -1;
    if (space == absl::string_view::npos || !absl::SimpleAtoi(line.substr(space + 1), &label)) {
      return FieldError(origin, absl::StrCat("'", line.substr(0, 60), "'"),
                        "a picture and a class index");
    }
    if (label < 0 || label >= classes) {
      return FieldError(
          origin, absl::StrCat("class ", label),
          absl::StrCat("0 to ", classes - 1, ", as the model has ", classes, " logits"));
    }
    const std::string name(absl::StripTrailingAsciiWhitespace(line.substr(0, space)));
    samples.push_back({(fs::path(options.data) / name).string(), {}, label});
  }
  if (samples.empty())
    return FieldError(options.labels, "no line", "\"picture class-index\" in each");
  return samples;
}

absl::StatusOr<std::vector<Sample>> FromBinary(const std::string& folder, const Preprocessing& how,
                                               int classes) {
  CLEAVE_ASSIGN_OR_RETURN(const ImageSet set, LoadImageSet(folder, how));
  if (static_cast<int>(set.classes.size()) != classes) {
    return FieldError(folder, absl::StrCat(set.classes.size(), " classes"),
                      absl::StrCat(classes, ", as many as the model has logits"));
  }
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < set.test.size(); ++i) {
    const std::span<const std::uint8_t> pixels = set.test.image(i);
    samples.push_back({absl::StrCat(folder, "/test_batch.bin: record ", i),
                       {pixels.begin(), pixels.end()},
                       set.test.labels[i]});
  }
  return samples;
}

// One of each class in turn, until there are enough.
std::vector<Sample> Draw(std::vector<Sample> all, const SampleOptions& options) {
  std::erase_if(all, [&](const Sample& each) { return !BelongsTo(options.part, each.path); });
  std::mt19937_64 random(options.seed);
  std::map<int, std::vector<Sample>> by_class;
  for (Sample& sample : all) by_class[sample.label.value_or(0)].push_back(std::move(sample));
  for (auto& [label, samples] : by_class) Shuffle(samples, random);
  const std::size_t wanted = std::min(all.size(), static_cast<std::size_t>(options.samples));
  std::vector<Sample> drawn;
  while (drawn.size() < wanted) {
    for (auto& [label, samples] : by_class) {
      if (samples.empty() || drawn.size() == wanted) continue;
      drawn.push_back(std::move(samples.back()));
      samples.pop_back();
    }
  }
  return drawn;
}

absl::StatusOr<std::vector<Sample>> FindAll(const SampleOptions& options, const Preprocessing& how,
                                            int classes, SampleSet& set) {
  set.labelled = true;
  if (!options.labels.empty() && options.labels != "folders") {
    return FromLabelsFile(options, classes);
  }
  std::error_code unknown;
  if (fs::exists(options.data + "/data_batch_1.bin", unknown)) {
    set.files = false;
    return FromBinary(options.data, how, classes);
  }
  std::string folder = options.data;
  if (fs::is_directory(folder + "/test", unknown) && fs::is_directory(folder + "/train", unknown)) {
    folder += "/test";
  }
  CLEAVE_ASSIGN_OR_RETURN(const Listing listing, List(folder));
  if (!listing.folders.empty()) return FromFolders(folder, listing.folders, classes);
  if (options.labels == "folders") return FieldError(folder, "no folder", "one for each class");
  if (listing.pictures.empty()) {
    return FieldError(folder, "no picture",
                      absl::StrCat(kImageEndings, " files, or a folder of them for each class"));
  }
  set.labelled = false;
  return WithoutLabels(folder, listing.pictures);
}

}  // namespace

bool BelongsTo(SamplePart part, const std::string& path) {
  if (part == SamplePart::kAll) return true;
  const bool measures = Sha256Hex(fs::path(path).filename().string()).front() < '4';
  return measures == (part == SamplePart::kMeasuring);
}

absl::StatusOr<std::vector<std::string>> FindPictures(const std::string& folder) {
  CLEAVE_ASSIGN_OR_RETURN(const Listing listing, List(folder));
  std::vector<std::string> found;
  for (const std::string& name : listing.pictures) found.push_back(absl::StrCat(folder, "/", name));
  for (const std::string& name : listing.folders) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> below,
                            FindPictures(absl::StrCat(folder, "/", name)));
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

absl::StatusOr<SampleSet> DrawSamples(const SampleOptions& options, const Preprocessing& how,
                                      int classes) {
  if (options.samples < 1) {
    return FieldError("samples", absl::StrCat(options.samples), "at least 1");
  }
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  SampleSet set;
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Sample> all, FindAll(options, how, classes, set));
  set.samples = Draw(std::move(all), options);
  return set;
}

absl::StatusOr<SampleSet> DrawPictures(const SampleOptions& options,
                                       const std::optional<std::vector<std::string>>& names) {
  if (options.samples < 1) {
    return FieldError("samples", absl::StrCat(options.samples), "at least 1");
  }
  std::vector<Sample> all;
  if (names) {
    all = WithoutLabels(options.data, *names);
    std::erase_if(all, [](const Sample& sample) {
      std::error_code unknown;
      return !fs::is_regular_file(sample.path, unknown);
    });
    if (all.empty()) {
      return FieldError(
          options.labels,
          absl::StrCat(names->size(), " pictures, of which none is below ", options.data),
          "the labels of these pictures");
    }
  } else {
    CLEAVE_ASSIGN_OR_RETURN(const Listing listing, List(options.data));
    if (listing.pictures.empty()) {
      return FieldError(options.data, "no picture", absl::StrCat(kImageEndings, " files"));
    }
    all = WithoutLabels(options.data, listing.pictures);
  }
  SampleSet set;
  set.samples = Draw(std::move(all), options);
  return set;
}

absl::StatusOr<SampleContents> ReadSample(const Sample& sample, const Preprocessing& how) {
  SampleContents contents;
  if (sample.pixels.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(contents.file, ReadFile(sample.path, kMaxPictureBytes));
    CLEAVE_ASSIGN_OR_RETURN(contents.input, ImageToTensor(contents.file, how, sample.path));
    return contents;
  }
  CLEAVE_ASSIGN_OR_RETURN(contents.input, PixelsToTensor(sample.pixels, how));
  return contents;
}

}  // namespace cleave::app
