#include "device/shape_costs.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace cleave {
namespace {

// The first runs count alike; later ones weigh this much, since machines change.
constexpr double kLeastWeight = 0.2;
// A table is worth making anew when a time has moved by more than this share.
constexpr double kTolerance = 0.05;

void Average(std::optional<double>& mean, int& runs, double value) {
  ++runs;
  const double weight = std::max(kLeastWeight, 1.0 / runs);
  mean = mean ? *mean + weight * (value - *mean) : value;
}

bool Moved(const std::optional<double>& before, const std::optional<double>& after) {
  if (before.has_value() != after.has_value()) return true;
  return before && std::abs(*after - *before) > kTolerance * std::abs(*before);
}

bool SameShapes(const std::vector<TensorSpec>& a, const std::vector<TensorSpec>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(),
      [](const TensorSpec& one, const TensorSpec& other) { return one.shape == other.shape; });
}

bool Differs(const ShapeCosts& before, const ShapeCosts& after) {
  if (Moved(before.edge_factor, after.edge_factor)) return true;
  for (std::size_t i = 0; i < after.exits.size(); ++i) {
    const ShapeCosts::Exit& old = before.exits[i];
    const ShapeCosts::Exit& now = after.exits[i];
    if (!std::equal(old.segment_us.begin(), old.segment_us.end(), now.segment_us.begin(),
                    [](const auto& a, const auto& b) { return !Moved(a, b); })) {
      return true;
    }
    if (!std::equal(old.live.begin(), old.live.end(), now.live.begin(), SameShapes)) return true;
  }
  return false;
}

const ShapeCosts::Exit* Known(const ShapeCosts* costs, const LocalExit& exit) {
  return costs == nullptr ? nullptr : &costs->exits[static_cast<std::size_t>(exit.model.exit())];
}

}  // namespace

double SegmentsUs(const LocalExit& exit, int from, int to, const InputShapes& shapes,
                  const ShapeCosts* costs) {
  const ShapeCosts::Exit* known = exit.profile.Has(shapes) ? nullptr : Known(costs, exit);
  if (known == nullptr) return exit.profile.TimeUs(from, to, shapes);
  double known_us = 0;
  double expected_us = 0;  // By the profile, of the segments that are known.
  for (int i = 0; i < exit.chain().segments(); ++i) {
    if (!known->segment_us[i]) continue;
    known_us += *known->segment_us[i];
    expected_us += exit.profile.TimeUs(i, i + 1, shapes);
  }
  const double factor = expected_us > 0 ? known_us / expected_us : 1;
  double us = 0;
  for (int i = from; i < to; ++i) {
    us += known->segment_us[i].value_or(factor * exit.profile.TimeUs(i, i + 1, shapes));
  }
  return us;
}

bool KnowsSegments(const LocalExit& exit, int from, int to, const InputShapes& shapes,
                   const ShapeCosts* costs) {
  if (exit.profile.Has(shapes)) return true;
  const ShapeCosts::Exit* known = Known(costs, exit);
  return known != nullptr &&
         std::all_of(known->segment_us.begin() + from, known->segment_us.begin() + to,
                     [](const std::optional<double>& us) { return us.has_value(); });
}

std::shared_ptr<const ShapeCosts> ShapeBook::Get(const InputShapes& shapes) {
  const absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(shapes);
  return found == entries_.end() ? nullptr : found->second.published;
}

ShapeBook::Entry& ShapeBook::Touch(const InputShapes& shapes) {
  const auto [place, is_new] = entries_.try_emplace(shapes);
  Entry& entry = place->second;
  if (!is_new) {
    uses_.splice(uses_.begin(), uses_, entry.use);
    return entry;
  }
  uses_.push_front(shapes);
  entry.use = uses_.begin();
  for (const LocalExit& exit : model_.exits) {
    const auto segments = static_cast<std::size_t>(exit.chain().segments());
    ShapeCosts::Exit& costs = entry.latest.exits.emplace_back();
    costs.segment_us.resize(segments);
    costs.live.resize(segments + 1);
  }
  if (entries_.size() > kMostShapes) {
    entries_.erase(uses_.back());
    uses_.pop_back();
  }
  return entry;
}

void ShapeBook::Publish(Entry& entry) {
  if (entry.published != nullptr && !Differs(*entry.published, entry.latest)) return;
  entry.published = std::make_shared<const ShapeCosts>(entry.latest);
}

void ShapeBook::AddRun(const LocalExit& exit, int from, const InputShapes& shapes,
                       const ChainResult& run, double slowdown) {
  if (exit.profile.Has(shapes) || slowdown <= 0) return;
  const absl::MutexLock lock(&mutex_);
  Entry& entry = Touch(shapes);
  const std::int64_t segments_us =
      std::accumulate(run.segment_us.begin(), run.segment_us.end(), std::int64_t{0});
  // What a run takes beside its segments is theirs too.
  const double scale =
      segments_us > 0 ? static_cast<double>(run.run_us) / static_cast<double>(segments_us) : 1;
  const int index = exit.model.exit();
  ShapeCosts::Exit& costs = entry.latest.exits[static_cast<std::size_t>(index)];
  for (std::size_t i = 0; i < run.segment_us.size(); ++i) {
    const std::size_t segment = static_cast<std::size_t>(from) + i;
    Average(costs.segment_us[segment], entry.runs[{index, static_cast<int>(segment)}],
            scale * static_cast<double>(run.segment_us[i]) / slowdown);
  }
  for (std::size_t i = 0; i < run.live.size(); ++i) {
    costs.live[static_cast<std::size_t>(from) + 1 + i] = run.live[i];
  }
  Publish(entry);
}

void ShapeBook::AddTail(const InputShapes& shapes, double ratio) {
  if (!std::isfinite(ratio) || ratio <= 0) return;
  const absl::MutexLock lock(&mutex_);
  Entry& entry = Touch(shapes);
  Average(entry.latest.edge_factor, entry.edge_runs, ratio);
  Publish(entry);
}

}  // namespace cleave
