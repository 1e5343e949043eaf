#include "fit/tensor_fit.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/block_transform.h"
#include "core/check.h"
#include "core/in_parallel.h"
#include "core/status_macros.h"
#include "fit/coefficient_fit.h"
#include "fit/generalised_klt.h"

namespace cleave {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Strided = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

constexpr double kTowardsMean = 0.3;
// Of the standard deviation of all elements.
constexpr double kProbe = 0.1;
constexpr double kNoise = 0.0625;
constexpr int kNoiseRuns = 2;
constexpr std::int64_t kLeastBlocksForChannel = 4;
constexpr std::size_t kMostStepSamples = 8;
constexpr int kStepSearches = 8;
// Coding is fitted to so many coefficients, or to so many samples where each has more.
constexpr std::size_t kEnoughCoefficients = 4'000'000;
constexpr std::size_t kLeastCodedSamples = 8;

class TensorFit {
 public:
  TensorFit(const std::vector<Tensor>& samples, const Respond& respond,
            const TensorFitOptions& options)
      : samples_(samples), respond_(respond), options_(options), random_(options.seed) {}

  absl::StatusOr<TensorCodecParameters> Run() {
    CLEAVE_RETURN_IF_ERROR(FindLayout());
    FindMeans();
    FindCovariances();
    CLEAVE_RETURN_IF_ERROR(Probe());
    CLEAVE_RETURN_IF_ERROR(FindBases());
    CLEAVE_ASSIGN_OR_RETURN(const TensorCodec transform, TensorCodec::Create(Plain()));
    std::vector<FittedItem> items;
    const std::size_t enough =
        std::max<std::size_t>(kLeastCodedSamples, kEnoughCoefficients / layout_.coefficients());
    const std::size_t count =
        std::min({samples_.size(), static_cast<std::size_t>(options_.coded_samples), enough});
    for (std::size_t i = 0; i < count; ++i) {
      FittedItem item = {layout_.rows(), layout_.columns(), {}};
      item.components.resize(layout_.coefficients());
      transform.Project(layout_, samples_[SpreadIndex(i, count)].floats(), 1, item.components);
      items.push_back(std::move(item));
    }
    CLEAVE_ASSIGN_OR_RETURN(const float finest, FindStep(transform));
    for (int rate = 0; rate < kCodecRates; ++rate) {
      Say("fitting the rates", static_cast<double>(rate) / kCodecRates);
      TensorCodecParameters::Rate& to = parameters_.rates[static_cast<std::size_t>(rate)];
      to.step = finest * std::pow(2.0F, 0.5F * static_cast<float>(rate));
      to.model =
          FitCoefficientModel(items, layout_.bands(), layout_.channels, to.step, options_.lambda);
    }
    return MeasureBytes();
  }

 private:
  void Say(const std::string& what, double share) const {
    if (options_.on_progress) options_.on_progress(what, share);
  }

  // The i-th of `count` samples that lie evenly among all.
  std::size_t SpreadIndex(std::size_t i, std::size_t count) const {
    return i * samples_.size() / count;
  }

  absl::Status FindLayout() {
    if (samples_.empty()) return FieldError("samples", "none", "some");
    for (const Tensor& sample : samples_) {
      if (sample.dtype() != DataType::kFloat32 || sample.shape() != samples_.front().shape()) {
        return FieldError(
            "samples", absl::StrCat(DataTypeName(sample.dtype()), " ", ShapeString(sample.shape())),
            absl::StrCat("FP32 ", ShapeString(samples_.front().shape())));
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(layout_, BlockLayout::Of(samples_.front().shape()));
    if (layout_.items != 1) return FieldError("batch", absl::StrCat(layout_.items), "1");
    if (layout_.channels > kMostCodecChannels) {
      return FieldError("channels", absl::StrCat(layout_.channels),
                        absl::StrCat("at most ", kMostCodecChannels));
    }
    const std::int64_t blocks = layout_.blocks() * static_cast<std::int64_t>(samples_.size());
    if (blocks < kLeastBlocksForChannel * layout_.channels) {
      return FieldError("samples",
                        absl::StrCat(samples_.size(), ", which have ", blocks, " blocks"),
                        absl::StrCat(kLeastBlocksForChannel, " blocks for each of the ",
                                     layout_.channels, " channels"));
    }
    return absl::OkStatus();
  }

  void FindMeans() {
    const auto channels = static_cast<std::size_t>(layout_.channels);
    const std::size_t plane = layout_.item_elements() / channels;
    std::vector<double> sums(channels, 0);
    double squares = 0;
    double total = 0;
    for (const Tensor& sample : samples_) {
      const auto values = sample.floats();
      for (std::size_t i = 0; i < values.size(); ++i) {
        sums[layout_.channels_last ? i % channels : i / plane] += values[i];
        squares += static_cast<double>(values[i]) * values[i];
        total += values[i];
      }
    }
    const double count = static_cast<double>(samples_.size()) * static_cast<double>(plane);
    for (const double sum : sums) mean_.push_back(static_cast<float>(sum / count));
    const double elements = count * static_cast<double>(channels);
    const double average = total / elements;
    deviation_ = std::sqrt(std::max(0.0, squares / elements - average * average));
  }

  void FindCovariances() {
    const int channels = layout_.channels;
    covariance_.assign(static_cast<std::size_t>(layout_.bands()), SymmetricMatrix::Zero(channels));
    std::vector<float> coefficients(layout_.coefficients());
    for (std::size_t sample = 0; sample < samples_.size(); ++sample) {
      Say("reading tensors", static_cast<double>(sample) / static_cast<double>(samples_.size()));
      ToCoefficients(layout_, samples_[sample].floats(), mean_, coefficients);
      for (int band = 0; band < layout_.bands(); ++band) {
        const Strided rows(
            coefficients.data() + static_cast<std::ptrdiff_t>(band) * channels, layout_.blocks(),
            channels, Eigen::OuterStride<>(static_cast<Eigen::Index>(layout_.bands()) * channels));
        Eigen::Map<Eigen::MatrixXd> sum(covariance_[static_cast<std::size_t>(band)].values.data(),
                                        channels, channels);
        sum += (rows.transpose() * rows).cast<double>();
      }
    }
    const double count =
        static_cast<double>(samples_.size()) * static_cast<double>(layout_.blocks());
    for (SymmetricMatrix& matrix : covariance_) {
      for (double& value : matrix.values) value /= count;
    }
  }

  float RandomSign() { return (random_() & 1) != 0 ? 1.0F : -1.0F; }

  // A sample's tensor with something added.
  absl::StatusOr<Response> RespondTo(std::size_t sample, const std::vector<float>& change) const {
    std::vector<float> values(samples_[sample].floats().begin(), samples_[sample].floats().end());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += change[i];
    CLEAVE_ASSIGN_OR_RETURN(const Tensor changed,
                            Tensor::FromFloats(samples_[sample].shape(), std::move(values)));
    return respond_(sample, changed);
  }

  // The squared change of the outputs for each squared unit of noise.
  absl::StatusOr<double> ResponseToNoise(std::size_t sample) {
    const auto size = static_cast<float>(kNoise * deviation_);
    double sum = 0;
    for (int i = 0; i < kNoiseRuns; ++i) {
      std::vector<float> change(layout_.item_elements());
      for (float& value : change) value = size * RandomSign();
      CLEAVE_ASSIGN_OR_RETURN(const Response response, RespondTo(sample, change));
      sum += response.squared / (static_cast<double>(size) * size);
    }
    return sum / kNoiseRuns;
  }

  absl::StatusOr<Eigen::MatrixXf> Products(std::size_t sample, int band) {
    const auto size = static_cast<float>(kProbe * deviation_);
    const auto channels = static_cast<std::size_t>(layout_.channels);
    std::vector<float> signs;
    signs.reserve(static_cast<std::size_t>(layout_.blocks()));
    for (int block = 0; block < layout_.blocks(); ++block) signs.push_back(RandomSign());
    const std::vector<float> no_mean(channels, 0);
    Matrix responses(layout_.channels, kSketchSize);
    const auto respond_to = [&](std::size_t channel) -> absl::Status {
      std::vector<float> coefficients(layout_.coefficients(), 0);
      std::vector<float> change(layout_.item_elements());
      const auto place = [&](std::size_t block) -> float& {
        return coefficients[(block * static_cast<std::size_t>(layout_.bands()) +
                             static_cast<std::size_t>(band)) *
                                channels +
                            channel];
      };
      for (std::size_t block = 0; block < signs.size(); ++block) place(block) = size * signs[block];
      FromCoefficients(layout_, coefficients, no_mean, change);
      CLEAVE_ASSIGN_OR_RETURN(const Response response, RespondTo(sample, change));
      for (std::size_t i = 0; i < kSketchSize; ++i) {
        responses(static_cast<Eigen::Index>(channel), static_cast<Eigen::Index>(i)) =
            response.sketch[i] / size;
      }
      return absl::OkStatus();
    };
    CLEAVE_RETURN_IF_ERROR(InParallel(channels, options_.threads, respond_to));
    return Eigen::MatrixXf(responses * responses.transpose() /
                           static_cast<float>(layout_.blocks()));
  }

  absl::Status Probe() {
    if (!(deviation_ > 0)) return FieldError("tensor", "the same value everywhere", "several");
    const int bands = layout_.bands();
    const std::size_t wanted = static_cast<std::size_t>(bands) *
                               static_cast<std::size_t>(options_.probed_samples_per_band);
    const auto channels = static_cast<Eigen::Index>(layout_.channels);
    std::vector<Eigen::MatrixXd> sums(static_cast<std::size_t>(bands),
                                      Eigen::MatrixXd::Zero(channels, channels));
    std::vector<double> noise(static_cast<std::size_t>(bands), 0);
    double all_noise = 0;
    for (std::size_t i = 0; i < wanted; ++i) {
      Say("probing the outputs", static_cast<double>(i) / static_cast<double>(wanted));
      // Samples that lie apart, each with another band.
      const std::size_t sample = SpreadIndex(i, wanted) % samples_.size();
      const int band = static_cast<int>(i % static_cast<std::size_t>(bands));
      CLEAVE_ASSIGN_OR_RETURN(const double of_noise, ResponseToNoise(sample));
      CLEAVE_ASSIGN_OR_RETURN(const Eigen::MatrixXf products, Products(sample, band));
      sums[static_cast<std::size_t>(band)] += products.cast<double>();
      noise[static_cast<std::size_t>(band)] += of_noise;
      all_noise += of_noise / static_cast<double>(wanted);
    }
    Eigen::MatrixXd mean = Eigen::MatrixXd::Zero(channels, channels);
    for (std::size_t band = 0; band < sums.size(); ++band) {
      if (!(noise[band] > 0)) {
        return FieldError("tensor", "no change of the outputs when it changes", "some");
      }
      sums[band] *= all_noise / noise[band];
      mean += sums[band] / static_cast<double>(bands);
    }
    for (const Eigen::MatrixXd& sum : sums) {
      const Eigen::MatrixXd drawn =
          (1 - kTowardsMean) * sum + kTowardsMean * mean * (sum.trace() / mean.trace());
      sensitivity_.push_back({layout_.channels, {drawn.data(), drawn.data() + drawn.size()}});
    }
    return absl::OkStatus();
  }

  absl::Status FindBases() {
    for (std::size_t band = 0; band < covariance_.size(); ++band) {
      CLEAVE_ASSIGN_OR_RETURN(const Basis basis,
                              GeneralisedKlt(covariance_[band], sensitivity_[band]));
      forward_.insert(forward_.end(), basis.forward.begin(), basis.forward.end());
      inverse_.insert(inverse_.end(), basis.inverse.begin(), basis.inverse.end());
    }
    return absl::OkStatus();
  }

  // The transform, with anything as the coding.
  TensorCodecParameters Plain() {
    TensorCodecParameters& to = parameters_;
    to.channels = layout_.channels;
    to.block_side = layout_.side;
    to.lambda = options_.lambda;
    to.mean = mean_;
    to.forward = forward_;
    to.inverse = inverse_;
    for (TensorCodecParameters::Rate& rate : to.rates) {
      CoefficientModel& model = rate.model;
      model.components = layout_.channels;
      model.active.assign(static_cast<std::size_t>(layout_.bands()), 0);
      model.offset.assign(model.active.size() * static_cast<std::size_t>(layout_.channels), 0);
      model.weight.assign(model.active.size() * kContextFeatures, 0);
      model.chance.assign(std::size_t{kContexts} * kUnaryMagnitudes, 32768);
    }
    return to;
  }

  absl::StatusOr<double> DistortionAt(const TensorCodec& transform, float step) const {
    const std::size_t count = std::min(samples_.size(), kMostStepSamples);
    std::vector<float> components(layout_.coefficients());
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t sample = SpreadIndex(i, count);
      transform.Project(layout_, samples_[sample].floats(), 1 / step, components);
      for (float& value : components) {
        value = std::copysign(std::floor(std::abs(value) + kDeadZoneRounding), value);
      }
      std::vector<float> values(layout_.item_elements());
      transform.Reconstruct(layout_, components, step, values);
      CLEAVE_ASSIGN_OR_RETURN(const Tensor decoded,
                              Tensor::FromFloats(samples_[sample].shape(), std::move(values)));
      CLEAVE_ASSIGN_OR_RETURN(const Response response, respond_(sample, decoded));
      sum += response.squared / static_cast<double>(count);
    }
    return sum;
  }

  // By the secant through the logarithms: distortion grows about with the square of the step.
  absl::StatusOr<float> FindStep(const TensorCodec& transform) const {
    double step =
        std::sqrt(12 * options_.finest_distortion / static_cast<double>(layout_.coefficients()));
    for (int i = 0; i < kStepSearches; ++i) {
      Say("finding the steps", static_cast<double>(i) / kStepSearches);
      CLEAVE_ASSIGN_OR_RETURN(const double distortion,
                              DistortionAt(transform, static_cast<float>(step)));
      if (distortion <= 0) {
        step *= 4;
        continue;
      }
      const double off = options_.finest_distortion / distortion;
      if (off > 0.95 && off < 1.05) break;
      step *= std::pow(std::clamp(off, 0.01, 100.0), 0.5);
    }
    return static_cast<float>(step);
  }

  absl::StatusOr<TensorCodecParameters> MeasureBytes() {
    CLEAVE_ASSIGN_OR_RETURN(const TensorCodec codec, TensorCodec::Create(parameters_));
    const auto elements = static_cast<float>(layout_.item_elements());
    for (int rate = 0; rate < kCodecRates; ++rate) {
      TensorCodecParameters::Rate& to = parameters_.rates[static_cast<std::size_t>(rate)];
      for (const Tensor& sample : samples_) {
        CLEAVE_ASSIGN_OR_RETURN(const CodedTensor coded, codec.Encode(sample, rate));
        const float bytes = static_cast<float>(coded.bytes.size()) / elements;
        to.mean_bytes += bytes / static_cast<float>(samples_.size());
        to.most_bytes = std::max(to.most_bytes, bytes);
      }
    }
    return std::move(parameters_);
  }

  const std::vector<Tensor>& samples_;
  const Respond& respond_;
  const TensorFitOptions& options_;
  std::mt19937_64 random_;
  BlockLayout layout_;
  std::vector<float> mean_;
  double deviation_ = 0;
  std::vector<SymmetricMatrix> covariance_;  // By band.
  std::vector<SymmetricMatrix> sensitivity_;
  std::vector<float> forward_;
  std::vector<float> inverse_;
  TensorCodecParameters parameters_;
};

// A mixing function of 64 bits (SplitMix64's).
std::uint64_t Mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

}  // namespace

Response Sketch(const std::vector<float>& change) {
  Response response;
  response.sketch.assign(kSketchSize, 0);
  for (std::size_t i = 0; i < change.size(); ++i) {
    if (change[i] == 0) continue;
    response.squared += static_cast<double>(change[i]) * change[i];
    const std::uint64_t mixed = Mix(i);
    response.sketch[mixed % kSketchSize] += (mixed >> 63) != 0 ? change[i] : -change[i];
  }
  return response;
}

absl::Status TensorFitOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(
      CheckRange("probed_samples_per_band", probed_samples_per_band, 1, 1 << 16));
  CLEAVE_RETURN_IF_ERROR(CheckRange("threads", threads, 1, 1024));
  CLEAVE_RETURN_IF_ERROR(CheckRange("coded_samples", coded_samples, 1, 1 << 16));
  if (!(finest_distortion > 0)) {
    return FieldError("finest_distortion", finest_distortion, "a number above 0");
  }
  if (!(lambda >= 0 && lambda <= 10)) return FieldError("lambda", lambda, "0 to 10");
  return absl::OkStatus();
}

absl::StatusOr<TensorCodecParameters> FitTensorCodec(const std::vector<Tensor>& samples,
                                                     const Respond& respond,
                                                     const TensorFitOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return TensorFit(samples, respond, options).Run();
}

}  // namespace cleave
