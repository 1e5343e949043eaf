#ifndef CLEAVE_WORLD_COURSE_H_
#define CLEAVE_WORLD_COURSE_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "link/trace.h"

namespace cleave::world {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

// A rate over time: bytes that a link passes, or work that a processor does. The future is made
// when it is asked for, the same whatever is asked. Times are microseconds from 0, the beginning of
// an episode. Thread-compatible.
class Course {
 public:
  virtual ~Course() = default;

  // Returns when an amount that starts at `start_us` has passed; kNever where that is after
  // `limit_us`.
  virtual double FinishUs(double start_us, double amount, double limit_us) = 0;
  // Returns what may pass from `from_us` to `to_us`. REQUIRES: from_us <= to_us.
  virtual double Between(double from_us, double to_us) = 0;

  // Returns the mean rate over a window that begins now, in amount per microsecond.
  double MeanRate(double now_us, double window_us) {
    return Between(now_us, now_us + window_us) / window_us;
  }
};

// A rate that stays for a while and then is another.
class SegmentCourse final : public Course {
 public:
  struct Segment {
    double duration_us = 0;  // Above 0.
    double rate = 0;         // Amount per microsecond, at least 0.
  };

  // Gives the segments in order, without end.
  using Next = std::function<Segment()>;

  explicit SegmentCourse(Next next) : next_(std::move(next)) {}

  double FinishUs(double start_us, double amount, double limit_us) override;
  double Between(double from_us, double to_us) override;
  double RateAt(double t_us) { return RateOf(IndexAt(t_us)); }

 private:
  struct Piece {
    double end_us = 0;
    double amount_by_end = 0;
    double rate = 0;
  };

  void ExtendTo(double t_us);
  void Append();
  std::size_t IndexAt(double t_us);
  double RateOf(std::size_t index) const { return pieces_[index].rate; }
  double AmountBy(double t_us);

  Next next_;
  std::vector<Piece> pieces_;
};

// Returns the list over and over, beginning at that share (from 0 to 1) of its whole time.
// REQUIRES: segments are not empty.
SegmentCourse::Next Repeated(std::vector<SegmentCourse::Segment> segments, double beginning);

// A recorded trace from some point on, in packets: what has begun takes the packets from then on.
class TraceCourse final : public Course {
 public:
  TraceCourse(std::shared_ptr<const Trace> trace, std::int64_t offset_us)
      : trace_(std::move(trace)), offset_us_(offset_us) {}

  double FinishUs(double start_us, double amount, double limit_us) override;
  double Between(double from_us, double to_us) override;

 private:
  std::int64_t BytesBefore(double t_us) const;

  std::shared_ptr<const Trace> trace_;
  std::int64_t offset_us_;
};

// Another course with gaps in which nothing passes.
class OutageCourse final : public Course {
 public:
  struct Outage {
    double gap_us = 0;       // Since the end of the one before, above 0.
    double duration_us = 0;  // Above 0.
  };

  // `next` gives the outages in order, without end.
  OutageCourse(std::unique_ptr<Course> inner, std::function<Outage()> next)
      : inner_(std::move(inner)), next_(std::move(next)) {}

  double FinishUs(double start_us, double amount, double limit_us) override;
  double Between(double from_us, double to_us) override;

 private:
  struct Span {
    double begin_us = 0;
    double end_us = 0;
  };

  // Returns the first that ends after this.
  Span NextAfter(double t_us);

  std::unique_ptr<Course> inner_;
  std::function<Outage()> next_;
  std::vector<Span> spans_;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_COURSE_H_
