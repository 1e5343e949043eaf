#include "app/video_source.h"

#include <algorithm>
#include <iostream>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "codec/input_preprocessing.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "video/frame_reader.h"

namespace cleave::app {
namespace {

using video::Frame;
using video::FrameReader;

// How long NextPictures waits for a frame before it gives the caller its turn.
constexpr absl::Duration kTurn = absl::Milliseconds(200);
constexpr absl::Duration kBeforeReopening = absl::Seconds(1);
constexpr absl::Duration kNap = absl::Milliseconds(20);

std::vector<PictureFile> PictureOf(const std::string& source, Frame frame) {
  return {{absl::StrCat(source, "#", frame.number), std::move(frame.file), frame.time_us}};
}

// What a video is, however its frames come.
class VideoInputs : public InputSource {
 public:
  absl::StatusOr<std::vector<NamedTensor>> Next() final {
    return absl::FailedPreconditionError("inputs: found a video, expected tensors");
  }
  bool pictures() const final { return true; }
  std::optional<std::int64_t> batches() const final { return std::nullopt; }
};

// Frame after frame, each when it is asked for.
class WaitingVideo final : public VideoInputs {
 public:
  WaitingVideo(std::string source, std::unique_ptr<FrameReader> reader)
      : source_(std::move(source)), reader_(std::move(reader)) {}

  absl::StatusOr<std::vector<PictureFile>> NextPictures() override {
    CLEAVE_ASSIGN_OR_RETURN(Frame frame, reader_->Next());
    std::vector<PictureFile> pictures = PictureOf(source_, std::move(frame));
    name_ = pictures.front().path;
    return pictures;
  }
  std::vector<std::string> names() const override { return {name_}; }

 private:
  const std::string source_;
  const std::unique_ptr<FrameReader> reader_;
  std::string name_;
};

// A thread reads at the video's own rate, and one frame waits.
class LiveVideo final : public VideoInputs {
 public:
  LiveVideo(std::string source, std::unique_ptr<FrameReader> reader, DropRule rule)
      : source_(std::move(source)),
        paced_(video::KindOf(source_) == video::SourceKind::kFile),
        rule_(rule),
        thread_([this, first = std::move(reader)]() mutable { Read(std::move(first)); }) {}
  ~LiveVideo() override {
    {
      absl::MutexLock lock(&mutex_);
      stop_ = true;
    }
    thread_.join();
  }

  absl::StatusOr<std::vector<PictureFile>> NextPictures() override {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(
                                +[](LiveVideo* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
                                  return self->waiting_ || !self->end_.ok();
                                },
                                this),
                            kTurn);
    if (!waiting_) {
      if (!end_.ok()) return end_;
      return std::vector<PictureFile>();
    }
    std::vector<PictureFile> pictures = PictureOf(source_, *std::move(waiting_));
    waiting_.reset();
    name_ = pictures.front().path;
    return pictures;
  }

  std::vector<std::string> names() const override {
    absl::MutexLock lock(&mutex_);
    return {name_};
  }
  std::int64_t dropped() const override {
    absl::MutexLock lock(&mutex_);
    return dropped_;
  }

 private:
  void Read(std::unique_ptr<FrameReader> reader) {
    const std::int64_t started_us = Clock::Steady().NowUs();
    std::int64_t numbers = 0;
    while (!stopped()) {
      absl::StatusOr<Frame> frame =
          reader ? reader->Next() : absl::StatusOr<Frame>(absl::UnavailableError("not open"));
      if (!frame.ok()) {
        if (paced_) return End(frame.status());
        if (reader) {
          std::cerr << "cleave: " << Printable(frame.status().message())
                    << " (it is opened again)\n";
          reader.reset();
        }
        reader = Reopen();
        continue;
      }
      // Frames are numbered on when a camera comes back.
      frame->number = numbers++;
      if (paced_) {
        SleepUntil(started_us + frame->time_us);
      } else {
        frame->time_us = Clock::Steady().NowUs() - started_us;
      }
      Offer(*std::move(frame));
    }
  }

  std::unique_ptr<FrameReader> Reopen() {
    SleepUntil(Clock::Steady().NowUs() + absl::ToInt64Microseconds(kBeforeReopening));
    if (stopped()) return nullptr;
    absl::StatusOr<std::unique_ptr<FrameReader>> again = FrameReader::Open(source_);
    return again.ok() ? *std::move(again) : nullptr;
  }

  void SleepUntil(std::int64_t until_us) const {
    while (!stopped()) {
      const std::int64_t left_us = until_us - Clock::Steady().NowUs();
      if (left_us <= 0) return;
      absl::SleepFor(std::min(absl::Microseconds(left_us), kNap));
    }
  }

  bool stopped() const {
    absl::MutexLock lock(&mutex_);
    return stop_;
  }

  void End(const absl::Status& why) {
    absl::MutexLock lock(&mutex_);
    end_ = why;
  }

  void Offer(Frame frame) {
    absl::MutexLock lock(&mutex_);
    if (rule_ == DropRule::kNone) {
      mutex_.Await(absl::Condition(
          +[](LiveVideo* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
            return self->stop_ || !self->waiting_;
          },
          this));
    }
    if (waiting_) ++dropped_;
    if (!waiting_ || rule_ == DropRule::kOldest) waiting_ = std::move(frame);
  }

  const std::string source_;
  const bool paced_;  // A file is held to its own clock.
  const DropRule rule_;
  mutable absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  std::optional<Frame> waiting_ ABSL_GUARDED_BY(mutex_);
  std::string name_ ABSL_GUARDED_BY(mutex_);
  std::int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<InputSource>> OpenVideo(const TensorSpec& input,
                                                       const InputOptions& options) {
  const std::string& source = options.sources.front();
  if (options.sources.size() != 1) {
    return FieldError("--input", absl::StrCat(options.sources.size(), " sources with a video"),
                      "the video alone");
  }
  if (options.batch != 1) return FieldError("batch", options.batch, "1 for a video");
  CLEAVE_RETURN_IF_ERROR(CheckTakesPictures(input, "--input"));
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<FrameReader> reader, FrameReader::Open(source));
  const bool live = options.video.real_time || video::KindOf(source) == video::SourceKind::kCamera;
  const DropRule rule = options.video.drop.value_or(live ? DropRule::kOldest : DropRule::kNone);
  if (live) return std::make_unique<LiveVideo>(source, std::move(reader), rule);
  if (rule != DropRule::kNone) {
    return FieldError("--drop", "a rule for a file that is read as fast as it goes",
                      "none, or --realtime with it");
  }
  return std::make_unique<WaitingVideo>(source, std::move(reader));
}

}  // namespace cleave::app
