#include "experiments/filter/experiment.h"

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "app/detector_cuts.h"
#include "codec/filter_file.h"
#include "core/file.h"
#include "core/in_parallel.h"
#include "core/sha256.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "core/text_table.h"

namespace cleave::experiments::filter {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kBootstraps = 1000;
constexpr double kTail = 0.025;
constexpr std::uint64_t kBootstrapSeed = 1;

// Of one picture: as a whole, and of its crops.
struct OfPicture {
  Counts whole;
  Counts crops;
  std::string digest;
};

absl::StatusOr<OfPicture> Measure(const app::DetectorCuts& detector, const FilterFile& filter,
                                  const app::CroppedPictures::Read& read) {
  OfPicture measured;
  measured.digest = read.digest;
  for (const app::CroppedPicture& picture : read.pictures) {
    CLEAVE_ASSIGN_OR_RETURN(const app::DetectorCuts::Run run, detector.RunPicture(picture.input));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Detection> found,
                            detector.Find(run.outputs, detector.head()));
    std::vector<const Tensor*> tensors;
    for (const Tensor& tensor : run.readable.front()) tensors.push_back(&tensor);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<double> logits, filter.filter().Logits(tensors));
    const bool held_back = logits.front() < filter.about().threshold.logit;
    const auto detections = static_cast<std::int64_t>(found.size());
    Counts& to = picture.whole ? measured.whole : measured.crops;
    ++(found.empty() ? to.empty : to.occupied);
    to.detections += detections;
    if (!held_back) continue;
    ++(found.empty() ? to.spared : to.lost);
    to.lost_detections += detections;
  }
  return measured;
}

Row RowOf(const std::string& name, const std::vector<Counts>& pictures) {
  Row row;
  row.name = name;
  std::array<std::vector<std::int64_t>, 4> sums;
  for (const Counts& each : pictures) {
    row.counts.Add(each);
    sums[0].push_back(each.spared);
    sums[1].push_back(each.empty);
    sums[2].push_back(each.lost);
    sums[3].push_back(each.occupied);
  }
  row.spared = BootstrapShare(sums[0], sums[1], kBootstrapSeed);
  row.lost = BootstrapShare(sums[2], sums[3], kBootstrapSeed);
  return row;
}

std::string IntervalText(std::int64_t part, std::int64_t of, const Interval& interval) {
  if (of == 0) return "-";
  return absl::StrFormat("%.1f%% (%.1f to %.1f)", 100.0 * static_cast<double>(part) / of,
                         100 * interval.low, 100 * interval.high);
}

}  // namespace

void Counts::Add(const Counts& other) {
  empty += other.empty;
  spared += other.spared;
  occupied += other.occupied;
  lost += other.lost;
  detections += other.detections;
  lost_detections += other.lost_detections;
}

Interval BootstrapShare(const std::vector<std::int64_t>& part,
                        const std::vector<std::int64_t>& whole, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> shares;
  for (int i = 0; i < kBootstraps && !part.empty(); ++i) {
    std::int64_t of_part = 0;
    std::int64_t of_whole = 0;
    for (std::size_t n = 0; n < part.size(); ++n) {
      const std::size_t drawn = static_cast<std::size_t>(random() % part.size());
      of_part += part[drawn];
      of_whole += whole[drawn];
    }
    if (of_whole > 0) {
      shares.push_back(static_cast<double>(of_part) / static_cast<double>(of_whole));
    }
  }
  if (shares.empty()) return {};
  return {Quantile(shares, kTail), Quantile(shares, 1 - kTail)};
}

absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command) {
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options.model));
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const FilterFile> filter,
                          FilterFile::Load(options.filter, options.model, graph->digest()));
  app::DetectorCutsOptions detector_options;
  detector_options.model = options.model;
  detector_options.inputs = options.inputs;
  detector_options.cut = filter->about().cut;
  CLEAVE_ASSIGN_OR_RETURN(const app::DetectorCuts detector,
                          app::DetectorCuts::Open(detector_options));
  CLEAVE_ASSIGN_OR_RETURN(const app::CroppedPictures pictures,
                          app::CroppedPictures::Open(options.data, detector.how()));
  const std::size_t count = pictures.paths().size();
  std::vector<OfPicture> measured(count);
  absl::Mutex mutex;
  std::size_t done = 0;
  const int threads = UsualThreads();
  CLEAVE_RETURN_IF_ERROR(InParallel(count, threads, [&](std::size_t i) -> absl::Status {
    CLEAVE_ASSIGN_OR_RETURN(const app::CroppedPictures::Read read, pictures.ReadPicture(i));
    CLEAVE_ASSIGN_OR_RETURN(measured[i], Measure(detector, *filter, read));
    const absl::MutexLock lock(&mutex);
    const double share = static_cast<double>(++done) / static_cast<double>(count);
    if (options.on_progress) options.on_progress("measuring", share);
    return absl::OkStatus();
  }));
  Results results;
  results.command = command;
  results.model = options.model;
  results.digest = graph->digest();
  results.cut = filter->about().cut;
  results.share_of_work = detector.ShareOfWork(results.cut);
  results.score_threshold = filter->about().score_threshold;
  results.pictures = static_cast<std::int64_t>(count);
  Sha256 digest;
  std::array<std::vector<Counts>, 3> sets;
  for (const OfPicture& each : measured) {
    digest.Update(each.digest);
    Counts both = each.whole;
    both.Add(each.crops);
    sets[0].push_back(each.whole);
    sets[1].push_back(each.crops);
    sets[2].push_back(both);
  }
  results.data_digest = digest.HexDigest();
  results.rows = {RowOf("whole pictures", sets[0]), RowOf("crops", sets[1]),
                  RowOf("both", sets[2])};
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.output, ToJson(results)));
  return results;
}

std::string ToJson(const Results& results) {
  Json rows = Json::array();
  for (const Row& row : results.rows) {
    rows.push_back({{"name", row.name},
                    {"empty", row.counts.empty},
                    {"spared", row.counts.spared},
                    {"spared_low", row.spared.low},
                    {"spared_high", row.spared.high},
                    {"occupied", row.counts.occupied},
                    {"lost", row.counts.lost},
                    {"lost_low", row.lost.low},
                    {"lost_high", row.lost.high},
                    {"detections", row.counts.detections},
                    {"lost_detections", row.counts.lost_detections}});
  }
  const Json json = {{"command", results.command},
                     {"model", results.model},
                     {"digest", results.digest},
                     {"data_digest", results.data_digest},
                     {"cut", results.cut},
                     {"share_of_work", results.share_of_work},
                     {"score_threshold", results.score_threshold},
                     {"pictures", results.pictures},
                     {"rows", std::move(rows)}};
  return json.dump(1) + "\n";
}

std::string ToText(const Results& results) {
  TextTable table({{"of", TextTable::Align::kLeft},
                   {"empty"},
                   {"not sent"},
                   {"with a detection"},
                   {"lost"},
                   {"detections"},
                   {"lost"}});
  for (const Row& row : results.rows) {
    const Counts& counts = row.counts;
    table.Add({row.name, absl::StrCat(counts.empty),
               IntervalText(counts.spared, counts.empty, row.spared), absl::StrCat(counts.occupied),
               IntervalText(counts.lost, counts.occupied, row.lost),
               absl::StrCat(counts.detections),
               counts.detections == 0
                   ? "-"
                   : absl::StrFormat("%.1f%%", 100.0 * static_cast<double>(counts.lost_detections) /
                                                   static_cast<double>(counts.detections))});
  }
  return absl::StrCat(results.model, ", sha256 ", results.digest.substr(0, 12), "; ",
                      results.pictures, " pictures, ", results.data_digest.substr(0, 12),
                      "; filter at cut ", results.cut,
                      absl::StrFormat(", behind %.1f%% of the work; detections from %g on\n\n",
                                      100 * results.share_of_work, results.score_threshold),
                      table.Markdown());
}

}  // namespace cleave::experiments::filter
