// Trains a bottleneck by distillation: the model's own answers are the truth. Reads from top to
// bottom; the numbers that were chosen stand first.
#include "learn/train_bottleneck.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/named_tensors.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "core/uniform.h"
#include "learn/bottleneck_card.h"
#include "learn/bottleneck_curve.h"
#include "learn/bottleneck_net.h"
#include "learn/bottleneck_pictures.h"
#include "learn/bottleneck_state.h"
#include "learn/bottleneck_task.h"
#include "learn/checkpoint.h"
#include "learn/codec_model.h"
#include "learn/libtorch_errors.h"
#include "learn/scorer.h"
#include "learn/shards.h"
#include "model/graph_writer.h"
#include "model/insert_bottleneck.h"

namespace cleave {
namespace {

// How far the places lie apart that the blocks of encoder and decoder look at. As many blocks of
// the encoder are left out, from the last one, as it takes to stay below a tenth of the model.
const std::vector<std::int64_t> kEncoderDilations = {1, 2, 4, 8};
const std::vector<std::int64_t> kDecoderDilations = {1, 2, 4, 1};
constexpr double kMostEncoderShare = 0.1;
// The encoder's hidden channels, as a part of the tensor's; the decoder has as many as the tensor.
constexpr std::int64_t kEncoderPart = 4;
// Adam's rate climbs in so many steps and then falls to a tenth along a cosine.
constexpr double kWarmUpSteps = 50;
constexpr double kLastRate = 0.1;
constexpr double kMostGradient = 0.5;  // Of each leaf.
// What is written is the mean of the weights over about so many steps.
constexpr double kAverageSteps = 200;
constexpr double kMostRate = kCodecRates - 1;
// Records are measured at these rates, on so many pictures at most.
constexpr std::array kRecordRates = {1.0, 2.5, 4.0};
constexpr std::size_t kRecordPictures = 16;
constexpr double kBitsPerByte = 8;

constexpr std::int64_t kMostSteps = 10'000'000;
constexpr int kMostBatch = 4096;
constexpr int kMostThreads = 1024;
constexpr std::int64_t kMostCheckpointBytes = std::int64_t{1} << 30;
constexpr double kUsPerSecond = 1e6;
// By so much of the largest output the files may differ from what was trained.
constexpr double kMostFileError = 1e-2;

using Tensors = std::map<std::string, torch::Tensor>;

std::mt19937_64 RandomOf(std::uint64_t seed, std::int64_t step, std::size_t picture) {
  std::seed_seq mixed{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                      static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(picture)};
  return std::mt19937_64(mixed);
}

// Mean and deviation of each channel over some tensors of 1 x C x H x W.
ChannelScale ScaleOf(const std::vector<Observed>& pictures) {
  std::vector<torch::Tensor> all;
  for (const Observed& picture : pictures) {
    all.push_back(ToTorch(picture.tensor).to(torch::kFloat64).flatten(2));
  }
  const torch::Tensor joined = torch::cat(all, 0);
  const std::vector<std::int64_t> others = {0, 2};
  const torch::Tensor mean = joined.mean(others);
  const torch::Tensor squares = joined.square().mean(others);
  const torch::Tensor deviation = (squares - mean.square()).clamp_min(0).sqrt();
  const double least = 1e-3 * deviation.max().item<double>() + 1e-12;
  return {mean.to(torch::kFloat32), deviation.clamp_min(least).to(torch::kFloat32)};
}

ResidualPlan EncoderPlan(const TensorSpec& tensor, std::int64_t model_macs) {
  ResidualPlan plan;
  plan.channels = tensor.shape[1];
  plan.hidden = std::max<std::int64_t>(1, plan.channels / kEncoderPart);
  plan.dilations = kEncoderDilations;
  const std::int64_t places = tensor.shape[2] * tensor.shape[3];
  while (static_cast<double>(plan.Macs(places)) >
         kMostEncoderShare * static_cast<double>(model_macs)) {
    plan.dilations.pop_back();
  }
  return plan;
}

ResidualPlan DecoderPlan(const TensorSpec& tensor) {
  return {tensor.shape[1], tensor.shape[1], kDecoderDilations};
}

// What one picture gave.
struct Sent {
  double loss = 0;
  RatePoint point;
  std::vector<torch::Tensor> gradients;  // One for each leaf.
};

class Training {
 public:
  Training(const BottleneckOptions& options, const BottleneckTask& task,
           std::vector<Observed> measured, std::string data_digest)
      : options_(options),
        task_(task),
        measured_(std::move(measured)),
        data_digest_(std::move(data_digest)),
        threads_(options.threads > 0 ? static_cast<std::size_t>(options.threads)
                                     : std::max(1U, std::thread::hardware_concurrency())),
        codec_(task.codec()),
        encoder_plan_(EncoderPlan(task.tensor(), task.macs())),
        encoder_(encoder_plan_, ScaleOf(measured_), options.seed),
        decoder_(DecoderPlan(task.tensor()), ScaleOf(measured_), options.seed + 1) {
    Gather("encoder.", encoder_.parameters());
    Gather("decoder.", decoder_.parameters());
    Gather("codec.", codec_.parameters());
    for (const auto& [name, leaf] : leaves_) averages_[name] = leaf.detach().clone();
    std::vector<torch::Tensor> leaves;
    for (const auto& [name, leaf] : leaves_) leaves.push_back(leaf);
    adam_ = std::make_unique<Adam>("adam", leaves, options.rate);
  }

  absl::Status Run() {
    if (options_.resume) CLEAVE_RETURN_IF_ERROR(Restore());
    if (state_.curve.points().empty()) CLEAVE_RETURN_IF_ERROR(MeasureCodecAlone());
    const std::int64_t begin_us = Clock::Steady().NowUs();
    const double before_s = state_.seconds;
    const auto elapsed_s = [&] {
      return static_cast<double>(Clock::Steady().NowUs() - begin_us) / kUsPerSecond;
    };
    while (state_.step < options_.steps) {
      CLEAVE_RETURN_IF_ERROR(Step());
      state_.seconds = before_s + elapsed_s();
      const bool late = options_.minutes && elapsed_s() > 60 * *options_.minutes;
      if (state_.step % options_.record_every == 0 || state_.step == options_.steps || late) {
        CLEAVE_RETURN_IF_ERROR(Record());
        CLEAVE_RETURN_IF_ERROR(Store());
      }
      if (late) break;
      if (options_.cancel.cancelled()) {
        CLEAVE_RETURN_IF_ERROR(Store());
        return absl::CancelledError(
            absl::StrCat("stopped after ", state_.step, " steps; --resume goes on from there"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Export() const {
    const Tensors all = averages_;
    CLEAVE_ASSIGN_OR_RETURN(const std::string encoder,
                            Written(encoder_, Part("encoder.", all), "tensor", "latent"));
    CLEAVE_ASSIGN_OR_RETURN(const std::string decoder,
                            Written(decoder_, Part("decoder.", all), "latent", "tensor"));
    CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options_.encoder_path(), encoder));
    CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options_.decoder_path(), decoder));
    CLEAVE_RETURN_IF_ERROR(CheckPair(encoder, decoder));
    if (options_.combined.empty()) return absl::OkStatus();
    CLEAVE_ASSIGN_OR_RETURN(const std::string model, ReadFile(options_.model));
    CLEAVE_ASSIGN_OR_RETURN(
        const std::string combined,
        InsertBottleneck(model, task_.tensor().name, {encoder, decoder}, options_.model));
    return WriteFileAtomically(options_.combined, combined);
  }

  BottleneckOutcome Outcome() const {
    BottleneckOutcome outcome;
    outcome.tensor = task_.tensor().name;
    outcome.shape = task_.tensor().shape;
    outcome.model_digest = task_.graph().digest();
    outcome.codec_digest = task_.codecs().digest();
    outcome.steps = state_.step;
    outcome.codec_alone = state_.curve.points();
    outcome.records = state_.records;
    const std::int64_t places = outcome.shape[2] * outcome.shape[3];
    outcome.encoder_macs = encoder_plan_.Macs(places);
    outcome.decoder_macs = DecoderPlan(task_.tensor()).Macs(places);
    outcome.model_macs = task_.macs();
    outcome.worst_node = task_.worst_node();
    outcome.seconds = state_.seconds;
    return outcome;
  }

 private:
  void Gather(const std::string& prefix, const Tensors& parameters) {
    for (const auto& [name, leaf] : parameters) leaves_[prefix + name] = leaf;
  }

  static Tensors Part(const std::string& prefix, const Tensors& all) {
    Tensors part;
    for (const auto& [name, tensor] : all) {
      if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
    }
    return part;
  }

  void Say(const std::string& what, double share) const {
    if (options_.on_progress) options_.on_progress({what, share, std::nullopt});
  }

  // Sends a picture's tensor and runs the tail on what arrives.
  absl::StatusOr<Sent> Send(const Observed& picture, double rate, CodecModel::Use use,
                            const Tensors& all, at::Generator& generator) const {
    const torch::Tensor x = ToTorch(picture.tensor);
    const SentTensor sent = codec_.Send(encoder_.Forward(x, Part("encoder.", all)), rate, use,
                                        Part("codec.", all), generator);
    const torch::Tensor arrived = decoder_.Forward(sent.tensor, Part("decoder.", all));
    CLEAVE_ASSIGN_OR_RETURN(
        std::vector<torch::Tensor> outputs,
        task_.tail().Run({{task_.tensor().name, arrived}}, task_.tail().outputs()));
    std::vector<NamedTensor> changed;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      changed.push_back({task_.tail().outputs()[i], FromTorch(outputs[i])});
    }
    AddMissing(picture.early, changed);
    CLEAVE_ASSIGN_OR_RETURN(const Distortion distortion,
                            options_.measure(picture.outputs, changed));
    Sent result;
    result.point = {rate, distortion.squared, sent.bits.item<double>() / kBitsPerByte};
    if (use == CodecModel::Use::kTraining) Differentiate(distortion, sent.bits, outputs, result);
    return result;
  }

  // The loss is the distortion and what the bits are worth, as a share of what the codec alone has
  // of both at this rate, so that all rates count alike.
  void Differentiate(const Distortion& distortion, const torch::Tensor& bits,
                     std::vector<torch::Tensor> outputs, Sent& sent) const {
    const double lambda = state_.curve.Lambda(sent.point.rate);
    const RatePoint alone = state_.curve.At(sent.point.rate);
    const double cost = alone.distortion + lambda * kBitsPerByte * alone.bytes;
    sent.loss = (sent.point.distortion + lambda * kBitsPerByte * sent.point.bytes) / cost;
    std::vector<torch::Tensor> slopes;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Tensor* slope = FindTensor(distortion.gradient, task_.tail().outputs()[i]);
      slopes.push_back(slope == nullptr ? torch::zeros_like(outputs[i]) : ToTorch(*slope) / cost);
    }
    outputs.push_back(bits);
    slopes.push_back(torch::full({}, lambda / cost));
    std::vector<torch::Tensor> leaves;
    for (const auto& [name, leaf] : leaves_) leaves.push_back(leaf);
    sent.gradients = torch::autograd::grad(outputs, leaves, slopes, /*retain_graph=*/false,
                                           /*create_graph=*/false, /*allow_unused=*/true);
  }

  // Runs `work` for each of `count` pictures in shards; the first error.
  template <typename Work>
  absl::StatusOr<std::vector<Sent>> Each(std::size_t count, const Work& work) const {
    std::vector<absl::StatusOr<Sent>> results(count, Sent());
    RunShards(count, threads_, [&](std::size_t i) { results[i] = work(i); });
    std::vector<Sent> all;
    for (absl::StatusOr<Sent>& result : results) {
      CLEAVE_RETURN_IF_ERROR(result.status());
      all.push_back(*std::move(result));
    }
    return all;
  }

  absl::Status Step() {
    Say(absl::StrCat("training, loss ", state_.records.empty() ? 1.0 : state_.records.back().loss),
        static_cast<double>(state_.step) / static_cast<double>(options_.steps));
    const auto one = [&](std::size_t i) -> absl::StatusOr<Sent> {
      std::mt19937_64 random = RandomOf(options_.seed, state_.step, i);
      const std::string& path = options_.training[random() % options_.training.size()];
      const ShownPart part = DrawPart(random);
      const double rate = kMostRate * DrawUniform(random);
      at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(random());
      CLEAVE_ASSIGN_OR_RETURN(const Tensor input, ShowPicture(path, task_.how(), part));
      CLEAVE_ASSIGN_OR_RETURN(const Observed picture, task_.Observe(input));
      return Send(picture, rate, CodecModel::Use::kTraining, leaves_, generator);
    };
    const auto batch = static_cast<std::size_t>(options_.batch);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Sent> sent, Each(batch, one));
    std::vector<torch::Tensor> gradients;
    std::size_t at = 0;
    for (const auto& [name, leaf] : leaves_) {
      torch::Tensor sum = torch::zeros_like(leaf);
      for (const Sent& picture : sent) {
        if (picture.gradients[at].defined()) sum += picture.gradients[at];
      }
      gradients.push_back(sum / static_cast<double>(batch));
      ++at;
    }
    for (const Sent& picture : sent) state_.loss_sum += picture.loss / static_cast<double>(batch);
    ++state_.loss_count;
    if (!std::isfinite(state_.loss_sum)) {
      return absl::InternalError(
          absl::StrCat("step ", state_.step, ": the loss became ", state_.loss_sum));
    }
    adam_->Step(WithGradients(gradients), RateNow(), kMostGradient);
    ++state_.step;
    const torch::NoGradGuard no_grad;
    const double share = std::max(1 / kAverageSteps, 1 / static_cast<double>(state_.step));
    for (const auto& [name, leaf] : leaves_) averages_[name].lerp_(leaf, share);
    return absl::OkStatus();
  }

  // A loss that has these gradients with respect to the leaves.
  torch::Tensor WithGradients(const std::vector<torch::Tensor>& gradients) const {
    torch::Tensor loss = torch::zeros({});
    std::size_t at = 0;
    for (const auto& [name, leaf] : leaves_) loss = loss + (leaf * gradients[at++]).sum();
    return loss;
  }

  double RateNow() const {
    const auto step = static_cast<double>(state_.step);
    const double fall = 0.5 + 0.5 * std::cos(M_PI * step / static_cast<double>(options_.steps));
    return options_.rate * std::min(1.0, (step + 1) / kWarmUpSteps) *
           (kLastRate + (1 - kLastRate) * fall);
  }

  // The means over the pictures that are not trained on.
  absl::StatusOr<RatePoint> Measure(double rate, const Tensors& all) const {
    const auto one = [&](std::size_t i) -> absl::StatusOr<Sent> {
      const torch::NoGradGuard no_grad;
      at::Generator unused;
      return Send(measured_[i], rate, CodecModel::Use::kMeasuring, all, unused);
    };
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Sent> sent, Each(measured_.size(), one));
    RatePoint mean{rate, 0, 0};
    for (const Sent& picture : sent) {
      mean.distortion += picture.point.distortion / static_cast<double>(sent.size());
      mean.bytes += picture.point.bytes / static_cast<double>(sent.size());
    }
    return mean;
  }

  // Encoder and decoder begin as the identity, so that this is the codec alone.
  absl::Status MeasureCodecAlone() {
    std::vector<RatePoint> points;
    for (int rate = 0; rate < kCodecRates; ++rate) {
      Say("measuring the codec alone", static_cast<double>(rate) / kCodecRates);
      CLEAVE_ASSIGN_OR_RETURN(RatePoint point, Measure(rate, averages_));
      if (!(point.distortion > 0 && point.bytes > 0)) {
        return FieldError(
            absl::StrCat("the codec at t", rate + 1),
            absl::StrCat("distortion ", point.distortion, ", ", point.bytes, " bytes"),
            "both above 0");
      }
      points.push_back(point);
    }
    state_.curve = RateCurve(std::move(points));
    return absl::OkStatus();
  }

  absl::Status Record() {
    BottleneckRecord record;
    record.step = state_.step;
    record.loss =
        state_.loss_sum / static_cast<double>(std::max<std::int64_t>(1, state_.loss_count));
    state_.loss_sum = 0;
    state_.loss_count = 0;
    for (const double rate : kRecordRates) {
      CLEAVE_ASSIGN_OR_RETURN(RatePoint point, Measure(rate, averages_));
      record.points.push_back(point);
    }
    record.ratio = MeanShare(record.points, state_.curve);
    state_.records.push_back(record);
    if (options_.on_progress) options_.on_progress({"training", 0, record});
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Written(const ResidualNet& net, const Tensors& parameters,
                                      const std::string& input, const std::string& output) const {
    const Shape& shape = task_.tensor().shape;
    GraphWriter writer(output);
    const std::string in = writer.Input(input, {shape.begin() + 1, shape.end()});
    writer.Output(net.Write(writer, in, output, parameters));
    writer.Metadata("cleave.bottleneck.model", task_.graph().digest());
    writer.Metadata("cleave.bottleneck.tensor", task_.tensor().name);
    return writer.Serialize();
  }

  // Runs both files with ONNX Runtime beside what was trained.
  absl::Status CheckPair(const std::string& encoder, const std::string& decoder) const {
    const torch::NoGradGuard no_grad;
    const Tensor& tensor = measured_.front().tensor;
    const torch::Tensor latent = encoder_.Forward(ToTorch(tensor), Part("encoder.", averages_));
    const torch::Tensor decoded = decoder_.Forward(latent, Part("decoder.", averages_));
    CLEAVE_ASSIGN_OR_RETURN(const Tensor file_latent, RunFile(encoder, "tensor", tensor));
    CLEAVE_ASSIGN_OR_RETURN(const Tensor file_decoded, RunFile(decoder, "latent", file_latent));
    const double largest = std::max(1e-6, decoded.abs().max().item<double>());
    const double error = (ToTorch(file_decoded) - decoded).abs().max().item<double>() / largest;
    if (error <= kMostFileError) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("the files differ from what was trained by ", error,
                                            " of the largest element"));
  }

  static absl::StatusOr<Tensor> RunFile(const std::string& bytes, const std::string& input,
                                        const Tensor& tensor) {
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::FromBytes(bytes, input));
    CLEAVE_ASSIGN_OR_RETURN(const auto model, WholeModel::Create(*graph, RuntimeOptions()));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> outputs, model->Run({{input, tensor}}));
    return outputs.front().tensor;
  }

  std::map<std::string, std::string> Settings() const {
    return {{"kind", "bottleneck"},
            {"model", task_.graph().digest()},
            {"codec", task_.codecs().digest()},
            {"tensor", task_.tensor().name},
            {"data", data_digest_},
            {"steps", absl::StrCat(options_.steps)},
            {"batch", absl::StrCat(options_.batch)},
            {"rate", absl::StrCat(options_.rate)},
            {"seed", absl::StrCat(options_.seed)}};
  }

  Tensors State() const {
    Tensors state;
    for (const auto& [name, leaf] : leaves_) state["leaf." + name] = leaf;
    for (const auto& [name, average] : averages_) state["average." + name] = average;
    adam_->AddState(state);
    return state;
  }

  absl::Status Store() const {
    Checkpoint checkpoint;
    checkpoint.settings = Settings();
    checkpoint.numbers = state_.ToNumbers();
    CLEAVE_ASSIGN_OR_RETURN(checkpoint.tensors, CopyOut(State()));
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, checkpoint.Serialize());
    return WriteFileAtomically(options_.checkpoint_path(), bytes);
  }

  absl::Status Restore() {
    const std::string path = options_.checkpoint_path();
    const absl::StatusOr<std::string> bytes = ReadFile(path, kMostCheckpointBytes);
    if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
    CLEAVE_RETURN_IF_ERROR(bytes.status());
    CLEAVE_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Parse(*bytes, path));
    CLEAVE_RETURN_IF_ERROR(checkpoint.CheckSettings(Settings(), path));
    const BottleneckState::Limits limits{options_.steps, kRecordRates.size()};
    CLEAVE_ASSIGN_OR_RETURN(
        BottleneckState state,
        BottleneckState::FromNumbers(std::move(checkpoint.numbers), limits, path));
    CLEAVE_RETURN_IF_ERROR(CopyIn(checkpoint.tensors, path, State()));
    adam_->Restored();
    state_ = std::move(state);
    return absl::OkStatus();
  }

  const BottleneckOptions& options_;
  const BottleneckTask& task_;
  const std::vector<Observed> measured_;
  const std::string data_digest_;
  const std::size_t threads_;
  const CodecModel codec_;
  const ResidualPlan encoder_plan_;
  const ResidualNet encoder_;
  const ResidualNet decoder_;
  Tensors leaves_;    // Of all three, by name.
  Tensors averages_;  // Their means over the last steps.
  std::unique_ptr<Adam> adam_;
  BottleneckState state_;
};

absl::StatusOr<std::string> DigestOf(const std::vector<std::string>& paths) {
  Sha256 digest;
  for (const std::string& path : paths) {
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    digest.Update(Sha256Hex(bytes));
  }
  return digest.HexDigest();
}

absl::StatusOr<BottleneckOutcome> Train(const BottleneckOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const BottleneckTask task, BottleneckTask::Open(options));
  if (EncoderPlan(task.tensor(), task.macs()).dilations.empty()) {
    return FieldError(absl::StrCat(options.model, ": cut ", options.cut),
                      "a tensor whose smallest encoder takes more than a tenth of the model's work",
                      "a smaller tensor, or a larger model");
  }
  std::vector<Observed> measured;
  const std::size_t count = std::min(kRecordPictures, options.measuring.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& path = options.measuring[i * options.measuring.size() / count];
    CLEAVE_ASSIGN_OR_RETURN(const Tensor input, ShowPicture(path, task.how(), ShownPart()));
    CLEAVE_ASSIGN_OR_RETURN(Observed observed, task.Observe(input));
    measured.push_back(std::move(observed));
  }
  std::vector<std::string> all = options.training;
  all.insert(all.end(), options.measuring.begin(), options.measuring.end());
  CLEAVE_ASSIGN_OR_RETURN(std::string digest, DigestOf(all));
  Training training(options, task, std::move(measured), std::move(digest));
  CLEAVE_RETURN_IF_ERROR(training.Run());
  CLEAVE_RETURN_IF_ERROR(training.Export());
  BottleneckOutcome outcome = training.Outcome();
  CLEAVE_RETURN_IF_ERROR(
      WriteFileAtomically(options.card_path(), BottleneckCard(options, outcome)));
  return outcome;
}

}  // namespace

absl::Status BottleneckOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("steps", steps, 1, kMostSteps));
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("batch", batch, 1, kMostBatch));
  CLEAVE_RETURN_IF_ERROR(CheckRange("rate", rate, 1e-8, 1.0));
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("record every", record_every, 1, kMostSteps));
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("threads", threads, 0, kMostThreads));
  if (minutes) CLEAVE_RETURN_IF_ERROR(CheckNotNegative("minutes", *minutes));
  if (training.empty()) return FieldError("pictures to train on", "none", "some");
  if (measuring.empty()) return FieldError("pictures to measure on", "none", "some");
  if (!measure) return FieldError("measure", "none", "a function");
  if (out.empty()) return FieldError("out", "nothing", "a path");
  std::error_code unknown;
  if (std::filesystem::equivalent(combined, model, unknown)) {
    return FieldError("combined", "the model itself", "another file: the model is not to be lost");
  }
  return absl::OkStatus();
}

std::string BottleneckOptions::encoder_path() const { return out + ".encoder.onnx"; }
std::string BottleneckOptions::decoder_path() const { return out + ".decoder.onnx"; }
std::string BottleneckOptions::checkpoint_path() const { return out + ".checkpoint"; }
std::string BottleneckOptions::card_path() const { return out + ".md"; }
std::string BottleneckOptions::curve_path() const { return out + ".svg"; }

absl::StatusOr<BottleneckOutcome> TrainBottleneck(const BottleneckOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return StopLibTorchErrors([&] { return Train(options); });
}

}  // namespace cleave
