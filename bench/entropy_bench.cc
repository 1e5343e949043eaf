// Compares entropy coders on the levels that the codec packs: the frame as EncodeTensor makes it
// today, and the coders that it could call, zstd and byte-oriented rANS of libhtscodecs.
//
// The tensors are activations at every candidate cut of the model's last exit, for pictures from
// --data or generated smooth ones, one picture at a time and in stacked batches. Two forms are
// coded: the packed levels of the frame, and the same levels in a byte each. Sizes are shares of
// the packed bytes, never above 1 (such a tensor is sent without an entropy stage). Speeds are
// relative to a memcpy of the fp32 bytes in the same run, medians over pairs in ABBA order, each
// over all tensors once. A call uses buffers that exist already, except for the frame's, whose
// coding is what EncodeTensor and DecodeTensor take longer with the entropy stage than without. The
// last columns say how much sooner a request is done than with zstd's level 1 on the packed levels
// or no entropy stage, whichever is faster: they add head, tail and coding as measured here, the
// frame's bytes over the link's rate, and one round trip. The summary takes a coder only where it
// is faster than no entropy stage.
//
// Usage: entropy_bench [--model FILE] [--data FOLDER] [--samples N] [--batch N] [--pairs N]
//                     [--rtt-ms MS]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/samples.h"
#include "codec/frame.h"
#include "codec/frame_header.h"
#include "codec/input_preprocessing.h"
#include "codec/quantize.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "entropy_coders.h"
#include "runtime/exit_models.h"

namespace cleave {
namespace {

struct Settings {
  std::string model = "models/alexnet_cifar10.onnx";
  std::string data;
  int samples = 64;
  int batch = 16;
  int pairs = 11;
  double rtt_ms = 20;
};

constexpr std::array<Encoding, 6> kEncodings = {Encoding::kQ8, Encoding::kQ6, Encoding::kQ5,
                                                Encoding::kQ4, Encoding::kQ3, Encoding::kQ2};
constexpr std::array<double, 4> kRatesMbps = {1, 2, 5, 10};

double TimeUs(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  return took.count();
}

// The same tensor of several pictures or batches, in each of the forms that are coded.
struct Activations {
  std::vector<Tensor> tensors;
  std::vector<std::string> packed;
  std::vector<std::string> bytes;  // Each level takes a byte.
  double frame_overhead_bytes = 0;
  EncodeOptions options;
};

struct Speed {
  double us = 0;  // The time for one tensor.
  double of_memcpy = 0;
};

Speed Measure(const Activations& all, int pairs, const std::function<void()>& work) {
  std::vector<char> target(all.tensors.front().size_bytes());
  const auto copy = [&] {
    for (const Tensor& tensor : all.tensors) {
      std::memcpy(target.data(), tensor.data(), tensor.size_bytes());
      asm volatile("" : : "r"(target.data()) : "memory");
    }
  };
  work();
  copy();
  std::vector<double> us;
  std::vector<double> ratios;
  for (int i = 0; i < pairs; ++i) {
    double copy_us = 0;
    if (i % 2 == 0) copy_us = TimeUs(copy);
    us.push_back(TimeUs(work));
    if (i % 2 == 1) copy_us = TimeUs(copy);
    ratios.push_back(copy_us / us.back());
  }
  return {Median(us) / static_cast<double>(all.tensors.size()), Median(ratios)};
}

// Returns the difference, or zero if `more` was not longer.
Speed LongerBy(const Speed& more, const Speed& less) {
  const double us = std::max(0.0, more.us - less.us);
  return {us, us > 0 ? more.of_memcpy * more.us / us : 0};
}

struct Coded {
  double bytes = 0;  // The size of one tensor, coded or not.
  double of_packed = 0;
  Speed encode;
  Speed decode;

  double CodingUs() const { return encode.us + decode.us; }
};

absl::StatusOr<Coded> Code(const EntropyCoder& coder, const Activations& all,
                           const std::vector<std::string>& payloads, int pairs) {
  std::vector<std::string> coded(payloads.size());
  std::vector<std::size_t> sizes(payloads.size());
  double bytes = 0;
  std::string decoded(payloads.front().size(), '\0');
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    coded[i].resize(coder.bound(payloads[i].size()));
    sizes[i] = coder.encode(payloads[i], coded[i]);
    const bool same = coder.decode({coded[i].data(), sizes[i]}, decoded) && decoded == payloads[i];
    if (!same)
      return absl::InternalError(absl::StrCat(coder.name, ": does not give back tensor ", i));
    bytes += static_cast<double>(std::min(sizes[i], all.packed[i].size()));
  }
  Coded result;
  const auto count = static_cast<double>(payloads.size());
  result.bytes = bytes / count;
  result.of_packed = result.bytes / static_cast<double>(all.packed.front().size());
  result.encode = Measure(all, pairs, [&] {
    for (std::size_t i = 0; i < payloads.size(); ++i) coder.encode(payloads[i], coded[i]);
  });
  result.decode = Measure(all, pairs, [&] {
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      coder.decode({coded[i].data(), sizes[i]}, decoded);
    }
  });
  return result;
}

// Returns the levels that a frame packs, each in a byte.
std::string LevelBytes(const std::string& packed, std::size_t count, int bits) {
  std::vector<std::uint8_t> levels(count);
  UnpackLevelBytes(packed, bits, levels);
  return {levels.begin(), levels.end()};
}

absl::StatusOr<Activations> Quantize(const std::vector<Tensor>& tensors, Encoding encoding) {
  const int bits = LevelBits(encoding);
  const EncodeOptions options = {.encoding = encoding,
                                 .range = tensors.front().shape()[0] > 1
                                              ? EncodeOptions::Range::kPerChannel
                                              : EncodeOptions::Range::kPerTensor,
                                 .channel_axis = 0};
  Activations all;
  all.options = options;
  all.tensors = tensors;
  for (const Tensor& tensor : tensors) {
    CLEAVE_ASSIGN_OR_RETURN(const std::string frame, EncodeTensor(tensor, options));
    CLEAVE_ASSIGN_OR_RETURN(const FrameParts parts, ParseFrame(frame, "bench", tensor.elements()));
    all.packed.emplace_back(parts.payload);
    all.bytes.push_back(
        LevelBytes(all.packed.back(), static_cast<std::size_t>(tensor.elements()), bits));
    all.frame_overhead_bytes = static_cast<double>(frame.size() - parts.payload.size());
  }
  return all;
}

// What a request takes besides the frame's payload.
struct Rest {
  double fixed_us = 0;  // The time of head, round trip and tail.
  double overhead_bytes = 0;

  double RequestUs(double payload_bytes, double coding_us, double mbps) const {
    return fixed_us + coding_us + 8 * (overhead_bytes + payload_bytes) / mbps;
  }
};

// Measures encoding and decoding of frames with and without the entropy stage.
absl::StatusOr<Coded> CodeFrames(const Activations& all, int pairs) {
  Coded result;
  std::array<std::vector<std::string>, 2> frames;
  std::array<Speed, 2> encode;
  std::array<Speed, 2> decode;
  for (const bool entropy : {false, true}) {
    EncodeOptions options = all.options;
    options.entropy = entropy;
    for (const Tensor& tensor : all.tensors) {
      CLEAVE_ASSIGN_OR_RETURN(std::string frame, EncodeTensor(tensor, options));
      if (entropy) result.bytes += static_cast<double>(frame.size()) - all.frame_overhead_bytes;
      frames[entropy].push_back(std::move(frame));
    }
    encode[entropy] = Measure(all, pairs, [&] {
      for (const Tensor& tensor : all.tensors) EncodeTensor(tensor, options).IgnoreError();
    });
    decode[entropy] = Measure(all, pairs, [&] {
      for (const std::string& frame : frames[entropy]) {
        DecodeTensor(frame, "bench", all.tensors.front().elements()).IgnoreError();
      }
    });
  }
  result.bytes /= static_cast<double>(all.tensors.size());
  result.of_packed = result.bytes / static_cast<double>(all.packed.front().size());
  result.encode = LongerBy(encode[true], encode[false]);
  result.decode = LongerBy(decode[true], decode[false]);
  return result;
}

// How much sooner requests are done if they use a coder where it pays.
struct Result {
  std::string form_and_coder;
  std::int64_t batch;
  double of_packed;
  std::array<double, kRatesMbps.size()> sooner_percent;
};

class Bench {
 public:
  Bench(Settings settings, const ExitModel& exit, std::vector<Tensor> inputs,
        std::vector<Result>* results)
      : settings_(std::move(settings)),
        exit_(exit),
        inputs_(std::move(inputs)),
        results_(*results) {}

  absl::Status Run() const {
    const Chain& chain = *exit_.chain;
    for (int boundary = 0; boundary < chain.segments(); ++boundary) {
      if (chain.LiveTensors(boundary).size() != 1) continue;
      CLEAVE_RETURN_IF_ERROR(RunCut(boundary));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status RunCut(int boundary) const {
    const Chain& chain = *exit_.chain;
    const std::string input = chain.LiveTensors(0).front();
    std::vector<Tensor> live;
    std::vector<double> compute_us;
    for (const Tensor& tensor : inputs_) {
      CLEAVE_ASSIGN_OR_RETURN(const ChainResult head, chain.Run(0, boundary, {{input, tensor}}));
      CLEAVE_ASSIGN_OR_RETURN(const ChainResult tail,
                              chain.Run(boundary, chain.segments(), head.tensors));
      compute_us.push_back(static_cast<double>(head.run_us + tail.run_us));
      live.push_back(head.tensors.front().tensor);
    }
    const CutInfo& info = exit_.table.cuts[chain.boundaries()[boundary]];
    absl::PrintF("\ncut %d, %s of %s, batch %d, %.0f%% zeros; head and tail %.0f us\n",
                 info.cut.index, info.cut.tensors.front(), ShapeString(live.front().shape()),
                 live.front().shape()[0], 100 * ShareOfZeros(live), Median(compute_us));
    absl::PrintF("   form   coder              size     encode          decode     ");
    for (const double rate : kRatesMbps) absl::PrintF(" %4.0f Mbit/s", rate);
    absl::PrintF("\n");
    for (const Encoding encoding : kEncodings) {
      CLEAVE_ASSIGN_OR_RETURN(const Activations all, Quantize(live, encoding));
      const Rest rest = {Median(compute_us) + 1000 * settings_.rtt_ms, all.frame_overhead_bytes};
      CLEAVE_RETURN_IF_ERROR(RunEncoding(encoding, all, rest));
    }
    return absl::OkStatus();
  }

  absl::Status RunEncoding(Encoding encoding, const Activations& all, const Rest& rest) const {
    const auto packed_bytes = static_cast<double>(all.packed.front().size());
    CLEAVE_ASSIGN_OR_RETURN(const Coded zstd, Code(ZstdAlone(), all, all.packed, settings_.pairs));
    CLEAVE_ASSIGN_OR_RETURN(const Coded frame, CodeFrames(all, settings_.pairs));
    const auto row = [&](absl::string_view form, const std::string& coder, const Coded& coded) {
      absl::PrintF("%-2s %-6s %-15s %5.3f %7.1f us %5.3f %7.1f us %5.3f", EncodingName(encoding),
                   form, coder, coded.of_packed, coded.encode.us, coded.encode.of_memcpy,
                   coded.decode.us, coded.decode.of_memcpy);
      Result result = {
          absl::StrCat(form, " ", coder), all.tensors.front().shape()[0], coded.of_packed, {}};
      for (std::size_t i = 0; i < kRatesMbps.size(); ++i) {
        const double mbps = kRatesMbps[i];
        const double none_us = rest.RequestUs(packed_bytes, 0, mbps);
        const double zstd_us = std::min(none_us, rest.RequestUs(zstd.bytes, zstd.CodingUs(), mbps));
        const double then_us = rest.RequestUs(coded.bytes, coded.CodingUs(), mbps);
        result.sooner_percent[i] = 100 * (1 - std::min(none_us, then_us) / zstd_us);
        absl::PrintF("   %+8.2f%%", 100 * (1 - then_us / zstd_us));
      }
      absl::PrintF("\n");
      std::fflush(stdout);
      if (LevelBits(encoding) < 8) results_.push_back(std::move(result));
    };
    row("packed", "zstd 1 alone", zstd);
    row("frame", "as today", frame);
    for (const EntropyCoder& coder : EntropyCoders()) {
      CLEAVE_ASSIGN_OR_RETURN(const Coded coded, Code(coder, all, all.packed, settings_.pairs));
      row("packed", coder.name, coded);
    }
    if (LevelBits(encoding) == 8) return absl::OkStatus();
    for (const EntropyCoder& coder : EntropyCoders()) {
      CLEAVE_ASSIGN_OR_RETURN(const Coded coded, Code(coder, all, all.bytes, settings_.pairs));
      row("bytes", coder.name, coded);
    }
    return absl::OkStatus();
  }

  static double ShareOfZeros(const std::vector<Tensor>& tensors) {
    double zeros = 0;
    double all = 0;
    for (const Tensor& tensor : tensors) {
      zeros += static_cast<double>(std::ranges::count(tensor.floats(), 0.0F));
      all += static_cast<double>(tensor.elements());
    }
    return zeros / all;
  }

  Settings settings_;
  const ExitModel& exit_;
  std::vector<Tensor> inputs_;
  std::vector<Result>& results_;
};

void PrintSummary(const std::vector<Result>& results) {
  std::map<std::pair<std::int64_t, std::string>, std::vector<Result>> groups;
  for (const Result& result : results) {
    groups[{result.batch, result.form_and_coder}].push_back(result);
    groups[{0, result.form_and_coder}].push_back(result);  // This group holds all batches.
  }
  absl::PrintF(
      "\nrequests sooner than with zstd 1 alone, over cuts and q6 to q2: median (least, most)\n"
      "batch form   coder              size");
  for (const double rate : kRatesMbps) absl::PrintF("  %15.0f Mbit/s", rate);
  absl::PrintF("\n");
  for (const auto& [key, members] : groups) {
    // clang 14 cannot capture a structured binding.
    const std::vector<Result>& group = members;
    const auto median_of = [&](const std::function<double(const Result&)>& value) {
      std::vector<double> values(group.size());
      std::ranges::transform(group, values.begin(), value);
      return Median(values);
    };
    absl::PrintF("%5s %-22s %5.3f", key.first == 0 ? "all" : absl::StrCat(key.first), key.second,
                 median_of([](const Result& result) { return result.of_packed; }));
    for (std::size_t i = 0; i < kRatesMbps.size(); ++i) {
      const auto sooner = [i](const Result& result) { return result.sooner_percent[i]; };
      const auto [least, most] = std::ranges::minmax(group, {}, sooner);
      absl::PrintF("  %+6.2f%% (%+.1f, %+.1f)", median_of(sooner), sooner(least), sooner(most));
    }
    absl::PrintF("\n");
  }
}

// Returns a picture of slow waves in each colour.
Tensor MadeUpInput(const Preprocessing& how, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const std::size_t pixels = static_cast<std::size_t>(how.height) * how.width;
  std::vector<double> sums(3 * pixels, 128);
  for (int wave = 0; wave < 6; ++wave) {
    const double down = 3 * std::numbers::pi * uniform(random) / how.height;
    const double right = 3 * std::numbers::pi * uniform(random) / how.width;
    const double phase = std::numbers::pi * uniform(random);
    const std::array<double, 3> colour = {40 * uniform(random), 40 * uniform(random),
                                          40 * uniform(random)};
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const std::size_t pixel = i / 3;
      const std::size_t row = pixel / static_cast<std::size_t>(how.width);
      const auto y = static_cast<double>(row);
      const auto x = static_cast<double>(pixel - row * static_cast<std::size_t>(how.width));
      sums[i] += colour[i % 3] * std::sin(down * y + right * x + phase);
    }
  }
  std::vector<std::uint8_t> bytes(sums.size());
  std::ranges::transform(sums, bytes.begin(), [](double sum) {
    return static_cast<std::uint8_t>(std::clamp(sum, 0.0, 255.0));
  });
  return PixelsToTensor(bytes, how).value();
}

absl::StatusOr<std::vector<Tensor>> Inputs(const Settings& settings, const Preprocessing& how,
                                           int classes) {
  std::vector<Tensor> inputs;
  if (settings.data.empty()) {
    for (int i = 0; i < settings.samples; ++i) inputs.push_back(MadeUpInput(how, i));
    absl::PrintF("%d made-up smooth pictures\n", inputs.size());
    return inputs;
  }
  const app::SampleOptions options = {
      .data = settings.data, .labels = "", .samples = settings.samples};
  CLEAVE_ASSIGN_OR_RETURN(const app::SampleSet set, app::DrawSamples(options, how, classes));
  for (const app::Sample& sample : set.samples) {
    CLEAVE_ASSIGN_OR_RETURN(app::SampleContents contents, app::ReadSample(sample, how));
    inputs.push_back(std::move(contents.input));
  }
  absl::PrintF("%d pictures of %s\n", inputs.size(), settings.data);
  return inputs;
}

absl::StatusOr<std::vector<Tensor>> Stacked(const std::vector<Tensor>& inputs, std::size_t batch) {
  std::vector<Tensor> stacks;
  for (std::size_t at = 0; at + batch <= inputs.size(); at += batch) {
    CLEAVE_ASSIGN_OR_RETURN(Tensor stack,
                            StackBatch({inputs.begin() + static_cast<std::ptrdiff_t>(at),
                                        inputs.begin() + static_cast<std::ptrdiff_t>(at + batch)}));
    stacks.push_back(std::move(stack));
  }
  return stacks;
}

// Prints what a call costs, however little there is to code.
void PrintCallOverhead(int pairs) {
  absl::PrintF("\none call for 16 bytes:    encode     decode\n");
  const std::string payload = "0123456789abcdef";
  std::string decoded(payload.size(), '\0');
  std::vector<EntropyCoder> coders = EntropyCoders();
  coders.insert(coders.begin(), ZstdAlone());
  for (const EntropyCoder& coder : coders) {
    constexpr int kCalls = 1000;
    std::string coded(coder.bound(payload.size()), '\0');
    const std::size_t size = coder.encode(payload, coded);
    const auto median_us = [&](const std::function<void()>& call) {
      std::vector<double> us;
      us.reserve(static_cast<std::size_t>(pairs));
      for (int i = 0; i < pairs; ++i) {
        us.push_back(TimeUs([&] {
                       for (int k = 0; k < kCalls; ++k) call();
                     }) /
                     kCalls);
      }
      return Median(us);
    };
    absl::PrintF("%-20s %8.2f us %7.2f us\n", coder.name,
                 median_us([&] { coder.encode(payload, coded); }), median_us([&] {
                   coder.decode({coded.data(), size}, decoded);
                 }));
  }
}

absl::Status Run(const Settings& settings) {
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(settings.model));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ExitModel> exits, BuildExitModels(graph, {}));
  const TensorSpec& input = graph->inputs().front();
  CLEAVE_RETURN_IF_ERROR(CheckTakesPictures(input, settings.model));
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how, PreprocessingFor(input, settings.model, {}));
  const auto classes = static_cast<int>(graph->outputs().back().shape.back());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, Inputs(settings, how, classes));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Tensor> stacks,
                          Stacked(inputs, static_cast<std::size_t>(settings.batch)));
  absl::PrintF("rANS: %s; round trip %.0f ms; speeds: memcpy of the fp32 bytes is 1\n",
               EntropyCodersNote(), settings.rtt_ms);
  std::vector<Result> results;
  CLEAVE_RETURN_IF_ERROR(Bench(settings, exits.back(), inputs, &results).Run());
  if (!stacks.empty() && settings.batch > 1) {
    CLEAVE_RETURN_IF_ERROR(Bench(settings, exits.back(), stacks, &results).Run());
  }
  PrintCallOverhead(settings.pairs);
  PrintSummary(results);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Entropy coders on the packed levels of a network's activations");
  app.add_option("--model", settings.model, "ONNX file of a model that takes pictures")
      ->capture_default_str();
  app.add_option("--data", settings.data, "Folder of CLASS/picture (default: generated pictures)");
  app.add_option("--samples", settings.samples, "Number of pictures")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--batch", settings.batch, "Pictures of a stacked batch; 1 measures none")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--pairs", settings.pairs, "Pairs of runs of each figure")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--rtt-ms", settings.rtt_ms, "Round-trip time that requests take, in ms")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(settings);
  if (!status.ok()) std::cerr << "entropy_bench: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main(argc, argv); }
