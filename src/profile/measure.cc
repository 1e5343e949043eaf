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
absl::StatusOr<std::vector<SegmentTime>> MeasurePoint(const Chain& chain, const InputShapes& shapes,
                                                      const MeasureOptions& options,
                                                      const std::function<void(double)>& progress,
                                                      const CancelToken& cancel) {
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<NamedTensor> inputs,
      RandomInputs(SpecsOf(chain.graph(), shapes), 1, chain.graph().value_hints()));
  std::vector<std::vector<double>> segment_us(chain.segments());
  std::vector<double> total_us;
  std::int64_t spent_us = 0;
  const int most = options.warmup_runs + options.max_runs;
  for (int run = 0; run < most; ++run) {
    if (options.before_pass) CLEAVE_RETURN_IF_ERROR(options.before_pass());
    const std::int64_t started_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(const ChainResult result,
                            chain.Run(0, chain.segments(), inputs, cancel));
    spent_us += Clock::Steady().NowUs() - started_us;
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

absl::Status CheckOptions(const Graph& graph, const std::vector<InputShapes>& points,
                          const MeasureOptions& options) {
  if (points.empty()) {
    return FieldError("profile: shapes", "none", "at least one");
  }
  for (const InputShapes& shapes : points) {
    if (shapes.size() != graph.inputs().size()) {
      return FieldError("profile: shapes", absl::StrCat(shapes.size(), " inputs"),
                        graph.inputs().size());
    }
    CLEAVE_RETURN_IF_ERROR(CheckShapes(graph, shapes));
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
                                       const std::vector<InputShapes>& points,
                                       const MeasureOptions& options,
                                       const std::function<void(double)>& progress,
                                       const CancelToken& cancel) {
  CLEAVE_RETURN_IF_ERROR(CheckOptions(chain.graph(), points, options));
  Profile profile(MakeProfileKey(chain, runtime));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto share = [&](double done) {
      if (progress) {
        progress((static_cast<double>(i) + std::min(1.0, done)) /
                 static_cast<double>(points.size()));
      }
    };
    CLEAVE_ASSIGN_OR_RETURN(std::vector<SegmentTime> times,
                            MeasurePoint(chain, points[i], options, share, cancel));
    profile.Set(points[i], std::move(times));
    share(1);
  }
  return profile;
}

absl::StatusOr<Profile> LoadOrMeasureProfile(const Chain& chain, const RuntimeOptions& runtime,
                                             const std::vector<InputShapes>& points,
                                             const MeasureOptions& options,
                                             const std::function<void(double)>& progress) {
  const ProfileKey key = MakeProfileKey(chain, runtime);
  // If the cache cannot be read, whatever the reason, the profile is measured again.
  const absl::StatusOr<Profile> cached = LoadCachedProfile(key);
  Profile profile = cached.ok() ? *cached : Profile(key);
  std::vector<InputShapes> missing;
  for (const InputShapes& shapes : points) {
    if (!profile.Has(shapes)) missing.push_back(shapes);
  }
  if (missing.empty()) return profile;
  CLEAVE_ASSIGN_OR_RETURN(const Profile measured,
                          MeasureProfile(chain, runtime, missing, options, progress));
  profile.Merge(measured);
  // If the folder cannot be written, the next start has to measure again, nothing more.
  SaveCachedProfile(profile).IgnoreError();
  return profile;
}

}  // namespace cleave
