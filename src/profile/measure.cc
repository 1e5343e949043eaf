#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "profile/profile.h"

namespace cleave {
namespace {

double Spread(const std::vector<double>& values) {
  const double median = Median(values);
  return median <= 0 ? 0 : (Quantile(values, 0.75) - Quantile(values, 0.25)) / median;
}

// Repeats whole passes through the chain, so that each segment is timed on real inputs and with a
// warm cache.
absl::StatusOr<std::vector<SegmentTime>> MeasureBatch(const Chain& chain, std::int64_t batch,
                                                      const MeasureOptions& options,
                                                      const std::function<void(double)>& progress,
                                                      const CancelToken& cancel) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs,
                          RandomInputs(chain.graph(), batch, 1));
  std::vector<std::vector<double>> segment_us(chain.segments());
  std::vector<double> total_us;
  const std::int64_t started_us = Clock::Steady().NowUs();
  const int most = options.warmup_runs + options.max_runs;
  for (int run = 0; run < most; ++run) {
    CLEAVE_ASSIGN_OR_RETURN(const ChainResult result,
                            chain.Run(0, chain.segments(), inputs, cancel));
    const std::int64_t spent_us = Clock::Steady().NowUs() - started_us;
    const bool late = spent_us > options.max_time_us;
    if (run < options.warmup_runs && !late) continue;
    for (int i = 0; i < chain.segments(); ++i) {
      segment_us[i].push_back(static_cast<double>(result.segment_us[i]));
    }
    total_us.push_back(static_cast<double>(result.run_us));
    const bool enough = static_cast<int>(total_us.size()) >= options.min_runs &&
                        Spread(total_us) <= options.target_spread;
    if (progress) {
      progress(std::max(static_cast<double>(run + 1) / most,
                        static_cast<double>(spent_us) / static_cast<double>(options.max_time_us)));
    }
    if (enough || late) break;
  }
  std::vector<SegmentTime> times;
  times.reserve(segment_us.size());
  for (const std::vector<double>& values : segment_us) {
    times.push_back({Median(values), Spread(values), static_cast<int>(values.size())});
  }
  return times;
}

absl::Status CheckOptions(const std::vector<std::int64_t>& batches, const MeasureOptions& options) {
  if (batches.empty()) {
    return FieldError("profile: batches", "none", "at least one");
  }
  for (const std::int64_t batch : batches) {
    if (batch < 1) {
      return FieldError("profile: batches", batch, "at least 1");
    }
  }
  if (options.min_runs < 1 || options.max_runs < options.min_runs || options.warmup_runs < 0) {
    return FieldError("profile",
                      absl::StrCat(options.warmup_runs, " warm-up, ", options.min_runs, " to ",
                                   options.max_runs, " runs"),
                      "0 <= warm-up and 1 <= fewest <= most");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Profile> MeasureProfile(const Chain& chain, const RuntimeOptions& runtime,
                                       const std::vector<std::int64_t>& batches,
                                       const MeasureOptions& options,
                                       const std::function<void(double)>& progress,
                                       const CancelToken& cancel) {
  CLEAVE_RETURN_IF_ERROR(CheckOptions(batches, options));
  Profile profile(MakeProfileKey(chain, runtime));
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto share = [&](double done) {
      if (progress) {
        progress((static_cast<double>(i) + std::min(1.0, done)) /
                 static_cast<double>(batches.size()));
      }
    };
    CLEAVE_ASSIGN_OR_RETURN(std::vector<SegmentTime> times,
                            MeasureBatch(chain, batches[i], options, share, cancel));
    profile.SetBatch(batches[i], std::move(times));
    share(1);
  }
  return profile;
}

absl::StatusOr<Profile> LoadOrMeasureProfile(const Chain& chain, const RuntimeOptions& runtime,
                                             const std::vector<std::int64_t>& batches,
                                             const MeasureOptions& options,
                                             const std::function<void(double)>& progress) {
  const ProfileKey key = MakeProfileKey(chain, runtime);
  // If the cache cannot be read, whatever the reason, the profile is measured again.
  const absl::StatusOr<Profile> cached = LoadCachedProfile(key);
  Profile profile = cached.ok() ? *cached : Profile(key);
  std::vector<std::int64_t> missing;
  for (const std::int64_t batch : batches) {
    if (!profile.HasBatch(batch)) missing.push_back(batch);
  }
  if (missing.empty()) return profile;
  CLEAVE_ASSIGN_OR_RETURN(const Profile measured,
                          MeasureProfile(chain, runtime, missing, options, progress));
  for (const auto& [batch, segments] : measured.by_batch()) profile.SetBatch(batch, segments);
  // If the folder cannot be written, the next start has to measure again, nothing more.
  SaveCachedProfile(profile).IgnoreError();
  return profile;
}

}  // namespace cleave
