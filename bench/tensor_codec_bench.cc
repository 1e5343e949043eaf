// Measures what fitted codecs of tensors cost, on one thread.
//
// With --model, the model's codecs lie beside it, and encoding and decoding at each rate are given
// as shares of the time of the whole network: the network, the encoding and the decoding of the
// tensor that it makes out of a picture take turns in one run, and each share is the median over
// the rounds with its quartiles. Without a model, a codec that nothing was fitted to codes 64 x 52
// x 52 values, most of which it makes 0.
//
// The last lines compare the transform alone with plain loops that are kept from being vectorized.
// All times are those that the thread was computing, so that other programs disturb them less.
//
// Usage: tensor_codec_bench [--model MODEL.onnx] [--picture FILE] [--rounds N]
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "app/input_source.h"
#include "codec/codec_file.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "runtime/chain.h"
#include "scalar_transform.h"
#include "support/tensor_codecs.h"

namespace cleave {
namespace {

struct Settings {
  std::string model;
  std::string picture = "random";
  int rounds = 30;
};

template <typename Value>
void Use(const Value& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

double ThreadUs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

double TimeUs(const std::function<void()>& work) {
  const double start_us = ThreadUs();
  work();
  return ThreadUs() - start_us;
}

std::string Share(const std::vector<double>& shares) {
  return absl::StrFormat("%6.2f%% [%.2f, %.2f]", 100 * Median(shares), 100 * Quantile(shares, 0.25),
                         100 * Quantile(shares, 0.75));
}

// Prints how much faster the transform is than plain loops.
void BenchTransform(const TensorCodec& codec, const Tensor& tensor, int rounds) {
  const BlockLayout layout = codec.LayoutOf(tensor.shape()).value();
  const bool comparable = layout.side == BlockLayout::kBlockSide &&
                          layout.height % layout.side == 0 && layout.width % layout.side == 0;
  if (!comparable) return;
  const float* item = tensor.floats().data();
  std::vector<float> components(layout.coefficients());
  std::vector<float> values(layout.item_elements());
  std::vector<double> project_us;
  std::vector<double> project_gain;
  std::vector<double> reconstruct_us;
  std::vector<double> reconstruct_gain;
  for (int i = 0; i <= rounds; ++i) {
    const double ours_us = TimeUs([&] {
      codec.Project(layout, {item, layout.item_elements()}, 1, components);
      Use(components);
    });
    const double plain_us = TimeUs([&] { Use(ScalarProject(codec.parameters(), layout, item)); });
    const double our_inverse_us = TimeUs([&] {
      codec.Reconstruct(layout, components, 1, values);
      Use(values);
    });
    const double plain_inverse_us =
        TimeUs([&] { Use(ScalarReconstruct(codec.parameters(), layout, components.data())); });
    if (i == 0) continue;  // It warms up.
    project_us.push_back(ours_us);
    project_gain.push_back(plain_us / ours_us);
    reconstruct_us.push_back(our_inverse_us);
    reconstruct_gain.push_back(plain_inverse_us / our_inverse_us);
  }
  absl::PrintF(
      "transform: forward %.0f us, %.1f x as fast as plain loops; inverse %.0f us, %.1f x\n",
      Median(project_us), Median(project_gain), Median(reconstruct_us), Median(reconstruct_gain));
}

absl::Status BenchTensor(const std::string& name, const TensorCodec& codec, const Tensor& tensor,
                         const std::function<absl::Status()>& network, int rounds) {
  absl::PrintF("'%s', %s\n", name, ShapeString(tensor.shape()));
  absl::PrintF(
      "rate   bytes  encode: of the network     decode: of the network      encode us  "
      "decode us\n");
  for (int rate = 0; rate < kCodecRates; ++rate) {
    CLEAVE_ASSIGN_OR_RETURN(const CodedTensor coded, codec.Encode(tensor, rate));
    CLEAVE_RETURN_IF_ERROR(codec.Decode(coded.bytes, tensor.shape(), rate).status());
    std::vector<double> encode_us;
    std::vector<double> decode_us;
    std::vector<double> encode_share;
    std::vector<double> decode_share;
    for (int i = 0; i < rounds; ++i) {
      absl::Status status;
      const double network_us = TimeUs([&] { status = network(); });
      CLEAVE_RETURN_IF_ERROR(status);
      encode_us.push_back(TimeUs([&] { Use(codec.Encode(tensor, rate)); }));
      decode_us.push_back(TimeUs([&] { Use(codec.Decode(coded.bytes, tensor.shape(), rate)); }));
      encode_share.push_back(encode_us.back() / network_us);
      decode_share.push_back(decode_us.back() / network_us);
    }
    absl::PrintF("t%d   %7d  %-25s  %-25s  %9.0f  %9.0f\n", rate + 1, coded.bytes.size(),
                 Share(encode_share), Share(decode_share), Median(encode_us), Median(decode_us));
    std::cout.flush();
  }
  BenchTransform(codec, tensor, rounds);
  return absl::OkStatus();
}

// Runs the model up to the first cut where a tensor lives.
absl::StatusOr<Tensor> TensorOf(const std::shared_ptr<const Graph>& graph, const CutTable& table,
                                const std::string& name, const std::vector<NamedTensor>& inputs) {
  CutList cuts{.order = table.order, .cuts = {}};
  for (const CutInfo& info : table.cuts) cuts.cuts.push_back(info.cut);
  for (const Cut& cut : cuts.cuts) {
    if (std::find(cut.tensors.begin(), cut.tensors.end(), name) == cut.tensors.end()) continue;
    const std::vector<int> boundaries = {0, cut.index, static_cast<int>(cuts.cuts.size()) - 1};
    CLEAVE_ASSIGN_OR_RETURN(const auto chain, Chain::Create(graph, cuts, boundaries, {}));
    CLEAVE_ASSIGN_OR_RETURN(const ChainResult head, chain->Run(0, 1, inputs));
    for (const NamedTensor& each : head.tensors) {
      if (each.name == name) return each.tensor;
    }
  }
  return absl::NotFoundError("no cut has the tensor '" + name + "'");
}

absl::Status BenchModel(const Settings& settings) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(settings.model));
  CLEAVE_ASSIGN_OR_RETURN(const auto file, CodecFile::OfModel(settings.model, graph->digest()));
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*graph, 1));
  CLEAVE_ASSIGN_OR_RETURN(const auto whole, WholeModel::Create(*graph, {.threads = 1}));
  app::InputOptions options;
  options.sources = {settings.picture};
  options.resolved = table.inputs.specs;
  options.model_path = settings.model;
  CLEAVE_ASSIGN_OR_RETURN(const auto source, app::InputSource::Open(graph->inputs(), options));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs, source->Next());
  const auto network = [&] { return whole->Run(inputs).status(); };
  for (int i = 0; i < 3; ++i) CLEAVE_RETURN_IF_ERROR(network());  // These runs warm up.
  for (const auto& [name, codec] : file->codecs()) {
    CLEAVE_ASSIGN_OR_RETURN(const Tensor tensor, TensorOf(graph, table, name, inputs));
    CLEAVE_RETURN_IF_ERROR(BenchTensor(name, codec, tensor, network, settings.rounds));
  }
  return absl::OkStatus();
}

absl::Status BenchPlain(const Settings& settings) {
  constexpr int kChannels = 64;
  constexpr int kSide = 52;
  const TensorCodec codec =
      TensorCodec::Create(testing::PlainCodec(kChannels, BlockLayout::kBlockSide, 0.1F)).value();
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.1F);
  std::vector<float> values(static_cast<std::size_t>(kChannels) * kSide * kSide);
  for (float& value : values) value = 0.25F + normal(random);
  CLEAVE_ASSIGN_OR_RETURN(const Tensor tensor,
                          Tensor::FromFloats({1, kChannels, kSide, kSide}, std::move(values)));
  absl::PrintF("rate   bytes  encode us  MB/s of fp32  decode us  MB/s of fp32\n");
  for (int rate = 0; rate < kCodecRates; ++rate) {
    CLEAVE_ASSIGN_OR_RETURN(const CodedTensor coded, codec.Encode(tensor, rate));
    std::vector<double> encode_us;
    std::vector<double> decode_us;
    for (int i = 0; i < settings.rounds; ++i) {
      encode_us.push_back(TimeUs([&] { Use(codec.Encode(tensor, rate)); }));
      decode_us.push_back(TimeUs([&] { Use(codec.Decode(coded.bytes, tensor.shape(), rate)); }));
    }
    const auto size = static_cast<double>(tensor.size_bytes());
    absl::PrintF("t%d   %7d  %9.0f  %12.0f  %9.0f  %12.0f\n", rate + 1, coded.bytes.size(),
                 Median(encode_us), size / Median(encode_us), Median(decode_us),
                 size / Median(decode_us));
  }
  BenchTransform(codec, tensor, settings.rounds);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("What fitted codecs of tensors cost, as shares of the whole network's time");
  app.add_option("--model", settings.model, "ONNX file of a model whose .codec lies beside it");
  app.add_option("--picture", settings.picture, "Picture that the model is given")
      ->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Rounds at each rate")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = settings.model.empty() ? BenchPlain(settings) : BenchModel(settings);
  if (status.ok()) return 0;
  std::cerr << "tensor_codec_bench: " << status.message() << "\n";
  return 1;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main(argc, argv); }
