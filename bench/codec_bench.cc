// Measures what the tensor codec costs, in units of a memcpy of the same fp32 bytes in the same
// run, on one thread, for a tensor that looks like activations after a ReLU.
//
// Every figure is the median over pairs, in ABBA order, of memcpy and the operation, with its
// quartiles. "Hot" repeats both on the same buffers, which lie in the second- or third-level cache;
// "cold" writes over a buffer larger than all caches before each single call. An encode or decode
// allocates its result and checks or writes the frame's checksum; memcpy does neither, nor do the
// scalar loops, which are the obvious code kept from being vectorized. Further figures are what the
// entropy stage gains, and what could be gained at most by encoding and decoding while the frame is
// being sent; and what it costs to make a JPEG of 640x480 the input of a network for 416x416.
//
// Usage: codec_bench [--mib N] [--pairs N] [--cold-pairs N] [--evict-mib N] [--overlap-only]
//                    [--pictures-only]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "codec/frame.h"
#include "codec/frame_header.h"
#include "codec/image.h"
#include "codec/image_reader.h"
#include "codec/picture.h"
#include "codec/quantize.h"
#include "core/statistics.h"
#include "scalar_codec.h"

namespace cleave {
namespace {

struct Settings {
  int mib = 1;
  int pairs = 100;
  int cold_pairs = 15;
  int evict_mib = 256;
  bool overlap_only = false;
  bool pictures_only = false;
};

constexpr Encoding kEncodings[] = {Encoding::kFp32, Encoding::kFp16, Encoding::kQ8, Encoding::kQ6,
                                   Encoding::kQ5,   Encoding::kQ4,   Encoding::kQ3, Encoding::kQ2};

template <typename Value>
void Use(const Value& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

std::vector<float> Activations(std::size_t count, double zeros) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<> uniform;
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random) < zeros ? 0 : std::abs(normal(random));
  return values;
}

double TimeUs(const std::function<void()>& work, int repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) work();
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  return took.count() / repeats;
}

struct Quartiles {
  double low = 0;
  double median = 0;
  double high = 0;
};

Quartiles QuartilesOf(const std::vector<double>& values) {
  return {Quantile(values, 0.25), Median(values), Quantile(values, 0.75)};
}

struct Result {
  Quartiles us;
  Quartiles of_memcpy;  // The speed, where memcpy's is 1.
};

class Bench {
 public:
  explicit Bench(const Settings& settings)
      : settings_(settings),
        source_(Activations(static_cast<std::size_t>(settings.mib) << 18, 0.5)),
        target_(source_.size()),
        evict_(static_cast<std::size_t>(settings.evict_mib) << 20),
        tensor_(Tensor::FromFloats({1, 64, static_cast<std::int64_t>(source_.size()) / 64}, source_)
                    .value()) {}

  const Tensor& tensor() const { return tensor_; }

  Result Hot(const std::function<void()>& work) const {
    constexpr int kRepeats = 4;
    TimeUs(work, 2 * kRepeats);
    return Pairs(
        settings_.pairs, [&](const auto& what) { return TimeUs(what, kRepeats); }, work);
  }

  Result Cold(const std::function<void()>& work) {
    return Pairs(
        settings_.cold_pairs,
        [&](const auto& what) {
          std::memset(evict_.data(), ++evictions_, evict_.size());
          Use(evict_);
          return TimeUs(what, 1);
        },
        work);
  }

 private:
  void Copy() const {
    std::memcpy(target_.data(), tensor_.data(), tensor_.size_bytes());
    Use(target_);
  }

  template <typename Time>
  Result Pairs(int pairs, const Time& time, const std::function<void()>& work) const {
    const std::function<void()> copy = [this] { Copy(); };
    std::vector<double> us;
    std::vector<double> ratios;
    for (int i = 0; i < pairs; ++i) {
      double copy_us = 0;
      if (i % 2 == 0) copy_us = time(copy);
      const double work_us = time(work);
      if (i % 2 == 1) copy_us = time(copy);
      us.push_back(work_us);
      ratios.push_back(copy_us / work_us);
    }
    return {QuartilesOf(us), QuartilesOf(ratios)};
  }

  Settings settings_;
  std::vector<float> source_;
  mutable std::vector<float> target_;
  std::vector<char> evict_;
  int evictions_ = 0;
  Tensor tensor_;
};

std::string Show(const Result& result) {
  return absl::StrFormat("%8.1f %6.2f [%.2f, %.2f]", result.us.median, result.of_memcpy.median,
                         result.of_memcpy.low, result.of_memcpy.high);
}

void PrintRow(const std::string& what, const Result& hot, const Result& cold,
              const std::string& scalar) {
  absl::PrintF("%-24s %-32s %-32s %s\n", what, Show(hot), Show(cold), scalar);
  std::fflush(stdout);
}

std::string AgainstScalar(const Result& ours, const Result& scalar) {
  return absl::StrFormat("%8.1f  %5.1f x", scalar.us.median, scalar.us.median / ours.us.median);
}

void BenchEncoding(Bench& bench, const EncodeOptions& options, const std::string& name) {
  const Tensor& tensor = bench.tensor();
  const std::string frame = EncodeTensor(tensor, options).value();
  const auto encode = [&] { Use(EncodeTensor(tensor, options)); };
  const auto decode = [&] { Use(DecodeTensor(frame, "bench", tensor.elements())); };
  const int bits = LevelBits(options.encoding);
  const Result encode_hot = bench.Hot(encode);
  const Result decode_hot = bench.Hot(decode);
  std::string scalar_encode;
  std::string scalar_decode;
  if (bits > 0) {
    const auto count = static_cast<std::size_t>(tensor.elements());
    const ValueRange range = FindRanges(tensor.floats(), {}).value()[0];
    std::vector<std::uint8_t> packed(PackedBytes(tensor.elements(), bits));
    std::vector<float> values(count);
    scalar_encode = AgainstScalar(encode_hot, bench.Hot([&] {
      ScalarEncode(tensor.floats().data(), count, bits, packed.data());
      Use(packed);
    }));
    scalar_decode = AgainstScalar(decode_hot, bench.Hot([&] {
      ScalarDecode(packed.data(), count, bits, range.min, range.max, values.data());
      Use(values);
    }));
  }
  PrintRow(name + " encode", encode_hot, bench.Cold(encode), scalar_encode);
  PrintRow(name + " decode", decode_hot, bench.Cold(decode), scalar_decode);
}

// Measures the steps of an encode one by one.
void BenchParts(Bench& bench) {
  const Tensor& tensor = bench.tensor();
  const std::vector<ValueRange> ranges = FindRanges(tensor.floats(), {}).value();
  const auto row = [&](const std::string& what, const std::function<void()>& work) {
    PrintRow("  " + what, bench.Hot(work), bench.Cold(work), "");
  };
  row("find range", [&] { Use(FindRanges(tensor.floats(), {})); });
  for (const int bits : {8, 4}) {
    std::string packed;
    row(absl::StrFormat("quantize, pack q%d", bits), [&] {
      packed.clear();
      QuantizeAndPack(tensor.floats(), {}, ranges, bits, packed);
    });
    std::vector<float> values(tensor.elements());
    row(absl::StrFormat("unpack, dequantize q%d", bits),
        [&] { UnpackAndDequantize(packed, {}, ranges, bits, values); });
  }
  std::string bytes(tensor.bytes());
  row("checksum of all fp32", [&] {
    FinishFrame(bytes);
    bytes.resize(tensor.size_bytes());
  });
}

void BenchEntropy(const Settings& settings, double zeros) {
  const std::size_t count = static_cast<std::size_t>(settings.mib) << 18;
  const Tensor tensor =
      Tensor::FromFloats({static_cast<std::int64_t>(count)}, Activations(count, zeros)).value();
  for (const Encoding encoding : kEncodings) {
    const EncodeOptions plain = {.encoding = encoding};
    EncodeOptions entropy = plain;
    entropy.entropy = true;
    const std::string before = EncodeTensor(tensor, plain).value();
    const std::string after = EncodeTensor(tensor, entropy).value();
    const auto median = [&](const std::function<void()>& work) {
      std::vector<double> us;
      for (int i = 0; i < std::max(3, settings.pairs / 4); ++i) us.push_back(TimeUs(work, 1));
      return Median(std::move(us));
    };
    const double extra_encode_us = median([&] { Use(EncodeTensor(tensor, entropy)); }) -
                                   median([&] { Use(EncodeTensor(tensor, plain)); });
    const double extra_decode_us = median([&] { Use(DecodeTensor(after, "bench", count)); }) -
                                   median([&] { Use(DecodeTensor(before, "bench", count)); });
    const double saved_bits = 8.0 * (static_cast<double>(before.size()) - after.size());
    absl::PrintF("%3.0f%%   %-5s %9d %9d  %5.2f x %9.0f %9.0f %12.0f\n", 100 * zeros,
                 std::string(EncodingName(encoding)), before.size(), after.size(),
                 static_cast<double>(before.size()) / after.size(), extra_encode_us,
                 extra_decode_us, saved_bits / std::max(1.0, extra_encode_us + extra_decode_us));
    std::fflush(stdout);
  }
}

double MedianUs(const Settings& settings, const std::function<void()>& work) {
  TimeUs(work, 10);
  std::vector<double> us;
  for (int i = 0; i < std::max(20, settings.pairs); ++i) us.push_back(TimeUs(work, 1));
  return Median(std::move(us));
}

// An encoder that works on one part while the part before is being sent, and a decoder likewise,
// can hide at most all encoding and decoding, which is this share of the time from the tensor on
// one side to the tensor on the other.
void BenchOverlap(const Settings& settings) {
  constexpr std::size_t kElements = 50'000;
  const Tensor tensor = Tensor::FromFloats({1, 50, 1000}, Activations(kElements, 0.5)).value();
  absl::PrintF(
      "\n%zu kB of fp32: share of encode + transfer + decode that overlap could hide at most\n"
      "          frame B  enc us  dec us",
      tensor.size_bytes() / 1000);
  const std::vector<double> rates_mbps = {1, 10, 50, 100, 1000};
  for (const double rate : rates_mbps) absl::PrintF("  %5.0f Mbit/s", rate);
  absl::PrintF("\n");
  for (const Encoding encoding : {Encoding::kQ8, Encoding::kQ4}) {
    for (const bool entropy : {false, true}) {
      const EncodeOptions options = {.encoding = encoding, .entropy = entropy};
      const std::string frame = EncodeTensor(tensor, options).value();
      const double encode_us = MedianUs(settings, [&] { Use(EncodeTensor(tensor, options)); });
      const double decode_us =
          MedianUs(settings, [&] { Use(DecodeTensor(frame, "bench", kElements)); });
      absl::PrintF("%-2s %-7s %7d %7.0f %7.0f", std::string(EncodingName(encoding)),
                   entropy ? "entropy" : "", frame.size(), encode_us, decode_us);
      for (const double rate : rates_mbps) {
        const double transfer_us = 8.0 * static_cast<double>(frame.size()) / rate;
        const double codec_us = encode_us + decode_us;
        absl::PrintF("  %11.2f%%", 100 * codec_us / (codec_us + transfer_us));
      }
      absl::PrintF("\n");
      std::fflush(stdout);
    }
  }
}

// Returns a picture with what photographs have: slow waves, edges and noise.
std::vector<std::uint8_t> MadeUpPhoto(int height, int width) {
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 6);
  std::vector<std::uint8_t> rgb;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside = (x / 80 + y / 60) % 3 == 0;
      for (int channel = 0; channel < 3; ++channel) {
        const double wave = 60 * std::sin(x * 0.013 * (1 + channel) + y * 0.021);
        const double texture = inside ? 25 * std::sin(x * 0.9 + y * 0.7) : 0;
        const double value = 120 + wave + texture + (inside ? 30 : 0) + noise(random);
        rgb.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
      }
    }
  }
  return rgb;
}

void BenchPictures(const Settings& settings) {
  constexpr int kWidth = 640;
  constexpr int kHeight = 480;
  constexpr int kQuality = 90;
  Preprocessing how;
  how.height = how.width = 416;
  const std::vector<std::uint8_t> photo = MadeUpPhoto(kHeight, kWidth);
  const std::string jpeg = EncodeJpeg(photo, kHeight, kWidth, kQuality).value();
  absl::PrintF("\na JPEG of 640x480, quality %d, %d bytes, to 416x416 (us)\n", kQuality,
               jpeg.size());
  const auto row = [&](const std::string& what, const std::function<void()>& work) {
    absl::PrintF("%-32s %8.0f\n", what, MedianUs(settings, work));
    std::fflush(stdout);
  };
  row("encode", [&] { Use(EncodeJpeg(photo, kHeight, kWidth, kQuality)); });
  row("decode", [&] { Use((*ImageReader::Open(jpeg, "bench"))->ReadUpright()); });
  const std::array<std::pair<const char*, Preprocessing::Fit>, 3> fits = {
      {{"crop", Preprocessing::Fit::kCrop},
       {"stretch", Preprocessing::Fit::kStretch},
       {"letterbox", Preprocessing::Fit::kLetterbox}}};
  for (const auto& [name, fit] : fits) {
    how.fit = fit;
    how.resize = fit == Preprocessing::Fit::kCrop ? how.height : 0;
    row(absl::StrFormat("decode and resize, %s", name),
        [&] { Use(ImageToPixels(jpeg, how, "bench")); });
  }
  row("all, to floats, letterbox", [&] { Use(ImageToTensor(jpeg, how, "bench")); });
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("The tensor codec against memcpy of the same fp32 bytes, one thread, paired runs");
  app.add_option("--mib", settings.mib, "Size of the tensor as fp32, in MiB")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--pairs", settings.pairs, "Pairs of runs of each hot figure")
      ->check(CLI::Range(4, 100000))
      ->capture_default_str();
  app.add_option("--cold-pairs", settings.cold_pairs, "Pairs of runs of each cold figure")
      ->check(CLI::Range(4, 10000))
      ->capture_default_str();
  app.add_option("--evict-mib", settings.evict_mib,
                 "Size of the buffer that empties the caches, in MiB; more than all caches")
      ->capture_default_str();
  app.add_flag("--overlap-only", settings.overlap_only, "Print only the table of overlap");
  app.add_flag("--pictures-only", settings.pictures_only, "Print only the table of pictures");
  CLI11_PARSE(app, argc, argv);

  if (settings.pictures_only) {
    BenchPictures(settings);
    return 0;
  }
  if (settings.overlap_only) {
    BenchOverlap(settings);
    return 0;
  }
  Bench bench(settings);
  absl::PrintF("%d MiB of fp32; speed with memcpy's as 1, median [quartiles]\n", settings.mib);
  absl::PrintF("%-24s %-32s %-32s %s\n", "", "      us    hot", "      us   cold",
               "  scalar us, hot");
  std::vector<float> other(bench.tensor().elements());
  const auto copy = [&] {
    std::memcpy(other.data(), bench.tensor().data(), bench.tensor().size_bytes());
    Use(other);
  };
  PrintRow("memcpy again", bench.Hot(copy), bench.Cold(copy), "");
  for (const Encoding encoding : kEncodings) {
    BenchEncoding(bench, {.encoding = encoding}, std::string(EncodingName(encoding)));
  }
  for (const Encoding encoding : {Encoding::kQ8, Encoding::kQ4}) {
    BenchEncoding(bench, {.encoding = encoding, .range = EncodeOptions::Range::kPerChannel},
                  std::string(EncodingName(encoding)) + " per channel");
  }
  absl::PrintF("steps:\n");
  BenchParts(bench);
  absl::PrintF(
      "\nthe entropy stage on top; it pays on links slower than the last column\n"
      "zeros  encoding  plain B   small B   ratio   + enc us  + dec us       Mbit/s\n");
  for (const double zeros : {0.5, 0.9}) BenchEntropy(settings, zeros);
  BenchOverlap(settings);
  BenchPictures(settings);
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main(argc, argv); }
