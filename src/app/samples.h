#ifndef CLEAVE_APP_SAMPLES_H_
#define CLEAVE_APP_SAMPLES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/image.h"

namespace cleave::app {

// What a picture is used for where some fit something and the others measure it: a quarter of them
// measure, by the digests of their files' names.
enum class SamplePart { kAll, kFitting, kMeasuring };

struct SampleOptions {
  // A folder of CLASS/picture, whose classes are numbered in order of their names; one with such a
  // folder `test` beside `train`; CIFAR-10's binary files; or a folder of loose pictures.
  std::string data;
  // "folders" asks for the first; else a file of lines "picture class-index" with paths below
  // `data`. Empty: labels where `data` has folders of classes or CIFAR-10's files, else none.
  std::string labels;
  std::int64_t samples = 1000;
  std::uint64_t seed = 1;
  SamplePart part = SamplePart::kAll;
};

// A picture and what it shows.
struct Sample {
  std::string path;                  // Where it is, or what to call it in errors.
  std::vector<std::uint8_t> pixels;  // As the model sees them, where there is no file.
  std::optional<int> label;
};

// A sample's contents.
struct SampleContents {
  std::string file;  // Empty where there is none.
  Tensor input;      // The model's input, at batch 1.
};

struct SampleSet {
  std::vector<Sample> samples;
  bool labelled = false;
  bool files = true;  // Whether the samples are files, which can travel as they are.
};

// `options.samples` of the pictures, or all where there are fewer, drawn with the seed, as many of
// each class as there are or within one. The same data and seed give the same samples in the same
// order on every machine. InvalidArgument or NotFound name file, what was found and what was
// expected: no pictures, another number of classes than `classes` (the model's), a label beyond it.
absl::StatusOr<SampleSet> DrawSamples(const SampleOptions& options, const Preprocessing& how,
                                      int classes);

// Whether a file of this path belongs to the part.
bool BelongsTo(SamplePart part, const std::string& path);

// The pictures in a folder and in those below it, sorted. Errors are those of DrawSamples.
absl::StatusOr<std::vector<std::string>> FindPictures(const std::string& folder);

// `options.samples` of the pictures below `options.data` that `names` lists, or of all pictures of
// that folder where it lists none; without labels, and otherwise drawn as DrawSamples does. Names
// of which there is no file are left out. Errors are those of DrawSamples.
absl::StatusOr<SampleSet> DrawPictures(const SampleOptions& options,
                                       const std::optional<std::vector<std::string>>& names);

absl::StatusOr<SampleContents> ReadSample(const Sample& sample, const Preprocessing& how);

}  // namespace cleave::app

#endif  // CLEAVE_APP_SAMPLES_H_
