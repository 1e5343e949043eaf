#include "world/course.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cleave::world {

void SegmentCourse::Append() {
  const Segment segment = next_();
  const double begin_us = pieces_.empty() ? 0 : pieces_.back().end_us;
  const double before = pieces_.empty() ? 0 : pieces_.back().amount_by_end;
  pieces_.push_back(
      {begin_us + segment.duration_us, before + segment.duration_us * segment.rate, segment.rate});
}

void SegmentCourse::ExtendTo(double t_us) {
  while (pieces_.empty() || pieces_.back().end_us <= t_us) Append();
}

std::size_t SegmentCourse::IndexAt(double t_us) {
  ExtendTo(t_us);
  const auto found =
      std::upper_bound(pieces_.begin(), pieces_.end(), t_us,
                       [](double t, const Piece& piece) { return t < piece.end_us; });
  return static_cast<std::size_t>(found - pieces_.begin());
}

double SegmentCourse::AmountBy(double t_us) {
  const Piece& piece = pieces_[IndexAt(t_us)];
  return piece.amount_by_end - (piece.end_us - t_us) * piece.rate;
}

double SegmentCourse::Between(double from_us, double to_us) {
  return std::max(0.0, AmountBy(to_us) - AmountBy(from_us));
}

double SegmentCourse::FinishUs(double start_us, double amount, double limit_us) {
  if (amount <= 0) return start_us;
  const double target = AmountBy(start_us) + amount;
  while (pieces_.back().amount_by_end < target) {
    if (pieces_.back().end_us > limit_us) return kNever;
    Append();
  }
  const Piece& last =
      *std::lower_bound(pieces_.begin(), pieces_.end(), target,
                        [](const Piece& piece, double sum) { return piece.amount_by_end < sum; });
  const double end_us = last.end_us - (last.amount_by_end - target) / last.rate;
  return end_us > limit_us ? kNever : std::max(start_us, end_us);
}

SegmentCourse::Next Repeated(std::vector<SegmentCourse::Segment> segments, double beginning) {
  double skip_us = 0;
  for (const SegmentCourse::Segment& segment : segments) skip_us += beginning * segment.duration_us;
  std::size_t first = 0;
  while (first + 1 < segments.size() && skip_us >= segments[first].duration_us) {
    skip_us -= segments[first++].duration_us;
  }
  return [segments = std::move(segments), next = first, skip_us]() mutable {
    SegmentCourse::Segment segment = segments[next];
    next = (next + 1) % segments.size();
    segment.duration_us = std::max(1.0, segment.duration_us - skip_us);
    skip_us = 0;
    return segment;
  };
}

std::int64_t TraceCourse::BytesBefore(double t_us) const {
  return trace_->BytesBy(offset_us_ + static_cast<std::int64_t>(std::ceil(t_us)) - 1);
}

double TraceCourse::FinishUs(double start_us, double amount, double limit_us) {
  if (amount <= 0) return start_us;
  const std::int64_t bytes = BytesBefore(start_us) + static_cast<std::int64_t>(std::ceil(amount));
  const auto end_us = static_cast<double>(trace_->TimeOfBytesUs(bytes) - offset_us_);
  return end_us > limit_us ? kNever : std::max(start_us, end_us);
}

double TraceCourse::Between(double from_us, double to_us) {
  return static_cast<double>(BytesBefore(to_us) - BytesBefore(from_us));
}

OutageCourse::Span OutageCourse::NextAfter(double t_us) {
  while (spans_.empty() || spans_.back().end_us <= t_us) {
    const Outage outage = next_();
    const double begin_us = (spans_.empty() ? 0 : spans_.back().end_us) + outage.gap_us;
    spans_.push_back({begin_us, begin_us + outage.duration_us});
  }
  return *std::upper_bound(spans_.begin(), spans_.end(), t_us,
                           [](double t, const Span& span) { return t < span.end_us; });
}

double OutageCourse::FinishUs(double start_us, double amount, double limit_us) {
  if (amount <= 0) return start_us;
  double now_us = start_us;
  while (now_us <= limit_us) {
    const Span outage = NextAfter(now_us);
    if (outage.begin_us > now_us) {
      const double end_us = inner_->FinishUs(now_us, amount, std::min(limit_us, outage.begin_us));
      if (end_us != kNever) return end_us;
      amount = std::max(0.0, amount - inner_->Between(now_us, outage.begin_us));
    }
    now_us = outage.end_us;
  }
  return kNever;
}

double OutageCourse::Between(double from_us, double to_us) {
  double amount = 0;
  double now_us = from_us;
  while (now_us < to_us) {
    const Span outage = NextAfter(now_us);
    if (outage.begin_us > now_us) {
      amount += inner_->Between(now_us, std::min(to_us, outage.begin_us));
    }
    now_us = outage.end_us;
  }
  return amount;
}

}  // namespace cleave::world
