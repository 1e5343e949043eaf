// Joint training of all exits of a multi-branch network, after BranchyNet (arXiv 1709.01686): the
// loss is the weighted sum of the exits' cross-entropies. Reads from top to bottom; the numbers
// that were chosen stand first.
#include "learn/train_exits.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/cifar10.h"
#include "codec/class_labels.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "learn/alexnet.h"
#include "learn/branchy_net.h"
#include "learn/libtorch_errors.h"
#include "learn/model_card.h"
#include "learn/scorer.h"
#include "learn/shards.h"
#include "model/graph_writer.h"

namespace cleave {
namespace {

// SGD with Nesterov's momentum; the rate climbs to its peak over a fifth of the steps and then
// falls to 0, both in a straight line.
constexpr double kPeakRate = 0.1;
constexpr double kWarmUp = 0.2;
constexpr double kMomentum = 0.9;
constexpr double kWeightDecay = 5e-4;
// The weights of the first exits and the last one in the loss: the trunk is to serve the last exit
// first.
constexpr double kEarlyWeight = 0.3;
constexpr double kLastWeight = 1.0;
// Every image is shown shifted by up to so many pixels (mirrored at the edges), half of them turned
// left to right.
constexpr int kShift = 4;
// A step's images are worked on in shards of so many, each on a copy of the network and by one
// thread. The size is fixed so that the result does not depend on the number of threads; and
// threads that meet once a step lose far less on a busy machine than threads that meet in every
// operator.
constexpr std::size_t kShard = 64;
constexpr std::size_t kTestShard = 250;

constexpr int kMaxEpochs = 10'000;
constexpr int kMaxBatch = 1 << 16;
constexpr int kMaxThreads = 1024;
constexpr std::int64_t kMaxCheckpointBytes = std::int64_t{1} << 30;
constexpr double kUsPerSecond = 1e6;

std::string WithEnding(const std::string& path, const std::string& ending) {
  return std::filesystem::path(path).replace_extension(ending).string();
}

double RateAt(double share_done) {
  return kPeakRate * std::min(share_done / kWarmUp, (1 - share_done) / (1 - kWarmUp));
}

// One image and how it is augmented.
struct AugmentedImage {
  std::size_t image = 0;
  int right = 0;  // Shift in pixels.
  int down = 0;
  bool mirrored = false;
};

// Every image once, in an order and with an augmentation that only seed and epoch decide.
std::vector<AugmentedImage> EpochOrder(std::size_t images, std::uint64_t seed, int epoch) {
  std::seed_seq mixed{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                      static_cast<std::uint32_t>(epoch)};
  std::mt19937_64 random(mixed);
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  const auto shift = [&] { return static_cast<int>(below(2 * kShift + 1)) - kShift; };
  std::vector<AugmentedImage> order(images);
  for (std::size_t i = 0; i < images; ++i) order[i].image = i;
  for (std::size_t i = images; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  for (AugmentedImage& image : order) {
    image.right = shift();
    image.down = shift();
    image.mirrored = below(2) == 1;
  }
  return order;
}

// Where a pixel comes from when a row is shifted by `shift`, mirrored at its ends.
int Mirrored(int at, int shift, int size) {
  const int from = at - shift;
  if (from < 0) return -from;
  return from < size ? from : 2 * (size - 1) - from;
}

void Augment(std::span<const std::uint8_t> image, const AugmentedImage& how,
             const Preprocessing& size, std::vector<std::uint8_t>& out) {
  out.resize(image.size());
  std::uint8_t* to = out.data();
  for (int y = 0; y < size.height; ++y) {
    const int row = Mirrored(y, how.down, size.height) * size.width;
    for (int x = 0; x < size.width; ++x, to += 3) {
      const int column = Mirrored(how.mirrored ? size.width - 1 - x : x, how.right, size.width);
      std::memcpy(to, image.data() + static_cast<std::size_t>(row + column) * 3, 3);
    }
  }
}

// Batch x 3 x height x width in channels-last memory, and the labels.
struct ShardInput {
  torch::Tensor images;
  torch::Tensor labels;
};

ShardInput Prepare(const LabelledImages& images, std::span<const AugmentedImage> augmented,
                   Preprocessing how) {
  how.channels_first = false;  // The memory order that oneDNN's convolutions are fastest on.
  const auto count = static_cast<std::int64_t>(augmented.size());
  const torch::Tensor pixels = torch::empty({count, how.height, how.width, 3});
  const torch::Tensor labels = torch::empty({count}, torch::kInt64);
  std::vector<std::uint8_t> shown;
  for (std::int64_t i = 0; i < count; ++i) {
    const AugmentedImage& image = augmented[static_cast<std::size_t>(i)];
    Augment(images.image(image.image), image, how, shown);
    NormalizePixels(
        shown, how,
        {pixels.data_ptr<float>() + i * static_cast<std::int64_t>(shown.size()), shown.size()});
    labels.data_ptr<std::int64_t>()[i] = images.labels[image.image];
  }
  return {pixels.permute({0, 3, 1, 2}), labels};
}

class Training {
 public:
  Training(const TrainOptions& options, ImageSet data)
      : options_(options),
        data_(std::move(data)),
        how_(Cifar10Preprocessing()),
        threads_(options.threads > 0 ? options.threads
                                     : std::max(1U, std::thread::hardware_concurrency())),
        net_(Plan(), options.seed) {
    for (const auto& [name, parameter] : net_.parameters()) {
      velocity_[name] = torch::zeros_like(parameter);
    }
    const std::size_t shards = (options.batch + kShard - 1) / kShard;
    for (std::size_t i = 0; i < shards; ++i) copies_.emplace_back(Plan(), options.seed);
  }

  absl::Status Run() {
    if (options_.resume) CLEAVE_RETURN_IF_ERROR(Restore());
    started_us_ = Clock::Steady().NowUs();
    first_step_ = static_cast<std::int64_t>(epochs_.size()) * StepsPerEpoch();
    while (static_cast<int>(epochs_.size()) < options_.epochs) {
      CLEAVE_RETURN_IF_ERROR(RunEpoch(static_cast<int>(epochs_.size())));
      CLEAVE_RETURN_IF_ERROR(Store());
      Tell(StepsDone(), epochs_.back().loss, /*epoch_done=*/true);
    }
    return absl::OkStatus();
  }

  absl::Status Export() const {
    GraphWriter writer("alexnet_cifar10");
    net_.Write(writer);
    return writer.Save(options_.out);
  }

  const ImageSet& data() const { return data_; }
  const std::vector<EpochRecord>& epochs() const { return epochs_; }

 private:
  BranchyPlan Plan() const {
    return AlexNetPlan(options_.exits, static_cast<std::int64_t>(data_.classes.size()));
  }

  std::int64_t StepsPerEpoch() const {
    return static_cast<std::int64_t>((data_.train.size() + options_.batch - 1) / options_.batch);
  }
  std::int64_t StepsDone() const {
    return static_cast<std::int64_t>(epochs_.size()) * StepsPerEpoch();
  }

  absl::Status RunEpoch(int epoch) {
    const std::int64_t start_us = Clock::Steady().NowUs();
    const std::vector<AugmentedImage> order = EpochOrder(data_.train.size(), options_.seed, epoch);
    const std::span<const AugmentedImage> all(order);
    double loss = 0;
    std::size_t shown = 0;
    std::int64_t step = StepsDone();
    while (shown < all.size()) {
      if (options_.cancel.cancelled()) {
        return absl::CancelledError(absl::StrCat("stopped after ", epochs_.size(),
                                                 " whole epochs; --resume goes on from there"));
      }
      const auto batch =
          all.subspan(shown, std::min<std::size_t>(options_.batch, all.size() - shown));
      const double total = static_cast<double>(StepsPerEpoch()) * options_.epochs;
      loss += Step(batch, RateAt((static_cast<double>(step) + 0.5) / total));
      shown += batch.size();
      ++step;
      if (!std::isfinite(loss)) {
        return absl::InternalError(absl::StrCat("epoch ", epoch + 1, ": the loss became ", loss));
      }
      Tell(step, loss / static_cast<double>(shown), /*epoch_done=*/false);
    }
    EpochRecord record;
    record.loss = loss / static_cast<double>(shown);
    record.accuracy = Test();
    record.seconds = static_cast<double>(Clock::Steady().NowUs() - start_us) / kUsPerSecond;
    epochs_.push_back(std::move(record));
    return absl::OkStatus();
  }

  // One step of SGD; the batch's summed loss.
  double Step(std::span<const AugmentedImage> batch, double rate) {
    const std::size_t shards = (batch.size() + kShard - 1) / kShard;
    std::vector<double> losses(shards);
    RunShards(shards, threads_, [&](std::size_t shard) {
      const auto part =
          batch.subspan(shard * kShard, std::min(kShard, batch.size() - shard * kShard));
      BranchyNet& net = copies_[shard];
      net.CopyFrom(net_);
      for (const auto& [name, parameter] : net.parameters()) parameter.mutable_grad().reset();
      const ShardInput input = Prepare(data_.train, part, how_);
      const std::vector<torch::Tensor> logits =
          net.Forward(input.images, BranchyNet::Mode::kTraining);
      torch::Tensor loss = torch::zeros({});
      for (std::size_t exit = 0; exit < logits.size(); ++exit) {
        const double weight = exit + 1 == logits.size() ? kLastWeight : kEarlyWeight;
        loss = loss + weight * torch::cross_entropy_loss(logits[exit], input.labels, {},
                                                         at::Reduction::Sum);
      }
      losses[shard] = loss.item<double>();
      (loss / static_cast<double>(batch.size())).backward();
    });
    Descend(shards, rate);
    double sum = 0;
    for (const double loss : losses) sum += loss;
    return sum;
  }

  // Sums the shards' gradients, in order, and moves the weights; averages the statistics.
  void Descend(std::size_t shards, double rate) {
    const torch::NoGradGuard no_grad;
    for (const auto& [name, parameter] : net_.parameters()) {
      torch::Tensor gradient = copies_[0].parameters().at(name).grad().clone();
      for (std::size_t shard = 1; shard < shards; ++shard) {
        gradient.add_(copies_[shard].parameters().at(name).grad());
      }
      gradient.add_(parameter, kWeightDecay);
      torch::Tensor& velocity = velocity_.at(name);
      velocity.mul_(kMomentum).add_(gradient);
      torch::Tensor(parameter).add_(gradient.add_(velocity, kMomentum), -rate);
    }
    for (const auto& [name, statistic] : net_.statistics()) {
      torch::Tensor mean = copies_[0].statistics().at(name).clone();
      for (std::size_t shard = 1; shard < shards; ++shard) {
        mean.add_(copies_[shard].statistics().at(name));
      }
      torch::Tensor(statistic).copy_(mean.div_(static_cast<double>(shards)));
    }
  }

  // Accuracy of each exit on the test images.
  std::vector<double> Test() {
    const std::size_t images = data_.test.size();
    const std::size_t shards = (images + kTestShard - 1) / kTestShard;
    std::vector<std::vector<std::int64_t>> right(
        shards, std::vector<std::int64_t>(static_cast<std::size_t>(options_.exits)));
    RunShards(shards, threads_, [&](std::size_t shard) {
      const torch::NoGradGuard no_grad;
      std::vector<AugmentedImage> augmented(std::min(kTestShard, images - shard * kTestShard));
      for (std::size_t i = 0; i < augmented.size(); ++i)
        augmented[i].image = shard * kTestShard + i;
      const ShardInput input = Prepare(data_.test, augmented, how_);
      const std::vector<torch::Tensor> logits =
          net_.Forward(input.images, BranchyNet::Mode::kInference);
      for (std::size_t exit = 0; exit < logits.size(); ++exit) {
        right[shard][exit] = logits[exit].argmax(1).eq(input.labels).sum().item<std::int64_t>();
      }
    });
    std::vector<double> accuracy;
    for (std::size_t exit = 0; exit < right[0].size(); ++exit) {
      std::int64_t sum = 0;
      for (const auto& shard : right) sum += shard[exit];
      accuracy.push_back(static_cast<double>(sum) / static_cast<double>(images));
    }
    return accuracy;
  }

  void Tell(std::int64_t steps_done, double loss, bool epoch_done) const {
    if (!options_.on_progress) return;
    const double total = static_cast<double>(StepsPerEpoch()) * options_.epochs;
    const double elapsed_s =
        static_cast<double>(Clock::Steady().NowUs() - started_us_) / kUsPerSecond;
    const double here = static_cast<double>(steps_done - first_step_);
    TrainProgress progress;
    progress.read = 1;
    progress.epoch = static_cast<int>(epochs_.size()) + (epoch_done ? 0 : 1);
    progress.epochs = options_.epochs;
    progress.share = static_cast<double>(steps_done) / total;
    progress.loss = loss;
    progress.remaining_s =
        here > 0 ? elapsed_s / here * (total - static_cast<double>(steps_done)) : 0;
    progress.epoch_done = epoch_done;
    if (!epochs_.empty()) progress.accuracy = epochs_.back().accuracy;
    options_.on_progress(progress);
  }

  std::map<std::string, std::string> Settings() const {
    return {{"network", "alexnet"},
            {"exits", absl::StrCat(options_.exits)},
            {"epochs", absl::StrCat(options_.epochs)},
            {"batch", absl::StrCat(options_.batch)},
            {"seed", absl::StrCat(options_.seed)},
            {"data", data_.digest}};
  }

  // What a checkpoint holds, by the name that it has there.
  std::map<std::string, torch::Tensor> State() const {
    std::map<std::string, torch::Tensor> state;
    for (const auto& [name, tensor] : net_.parameters()) state["parameter." + name] = tensor;
    for (const auto& [name, tensor] : net_.statistics()) state["statistic." + name] = tensor;
    for (const auto& [name, tensor] : velocity_) state["velocity." + name] = tensor;
    return state;
  }

  absl::Status Store() const {
    Checkpoint checkpoint{Settings(), epochs_, {}};
    CLEAVE_ASSIGN_OR_RETURN(checkpoint.tensors, CopyOut(State()));
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, checkpoint.Serialize());
    return WriteFileAtomically(options_.checkpoint_path(), bytes);
  }

  absl::Status Restore() {
    const std::string path = options_.checkpoint_path();
    const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxCheckpointBytes);
    if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
    CLEAVE_RETURN_IF_ERROR(bytes.status());
    CLEAVE_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Parse(*bytes, path));
    CLEAVE_RETURN_IF_ERROR(checkpoint.CheckSettings(Settings(), path));
    CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>(
        path + ": epochs", static_cast<std::int64_t>(checkpoint.epochs.size()), 1,
        options_.epochs));
    for (const EpochRecord& epoch : checkpoint.epochs) {
      CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>(
          path + ": exits of an epoch", static_cast<std::int64_t>(epoch.accuracy.size()),
          options_.exits, options_.exits));
    }
    CLEAVE_RETURN_IF_ERROR(CopyIn(checkpoint.tensors, path, State()));
    epochs_ = std::move(checkpoint.epochs);
    return absl::OkStatus();
  }

  const TrainOptions& options_;
  const ImageSet data_;
  const Preprocessing how_;
  const std::size_t threads_;
  BranchyNet net_;
  BranchyNet::Tensors velocity_;
  std::vector<BranchyNet> copies_;  // One for each shard of a step.
  std::vector<EpochRecord> epochs_;
  std::int64_t started_us_ = 0;
  std::int64_t first_step_ = 0;
};

absl::StatusOr<TrainOutcome> Train(const TrainOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(ImageSet data,
                          LoadImageSet(options.data, Cifar10Preprocessing(), [&](double share) {
                            if (!options.on_progress) return;
                            TrainProgress progress;
                            progress.read = share;
                            options.on_progress(progress);
                          }));
  Training training(options, std::move(data));
  CLEAVE_RETURN_IF_ERROR(training.Run());
  CLEAVE_RETURN_IF_ERROR(training.Export());
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(
      options.sidecar_path(),
      WithClassLabels(Cifar10Preprocessing().ToJson(), training.data().classes)));
  TrainOutcome outcome;
  outcome.epochs = training.epochs();
  CLEAVE_ASSIGN_OR_RETURN(outcome.exits,
                          EvaluateExits(options.out, training.data().test, Cifar10Preprocessing(),
                                        training.data().classes.size()));
  CLEAVE_ASSIGN_OR_RETURN(const std::string card, ModelCard(options, training.data(), outcome));
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.card_path(), card));
  return outcome;
}

}  // namespace

absl::Status TrainOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("exits", exits, 1, kMaxAlexNetExits));
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("epochs", epochs, 1, kMaxEpochs));
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("batch", batch, 1, kMaxBatch));
  CLEAVE_RETURN_IF_ERROR(CheckRange<std::int64_t>("threads", threads, 0, kMaxThreads));
  if (std::filesystem::path(out).extension() != ".onnx") {
    return FieldError("out", out, "FILE.onnx");
  }
  return absl::OkStatus();
}

std::string TrainOptions::checkpoint_path() const { return WithEnding(out, ".checkpoint"); }
std::string TrainOptions::sidecar_path() const { return WithEnding(out, ".json"); }
std::string TrainOptions::card_path() const { return WithEnding(out, ".md"); }

absl::StatusOr<TrainOutcome> TrainExits(const TrainOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return StopLibTorchErrors([&] { return Train(options); });
}

}  // namespace cleave
