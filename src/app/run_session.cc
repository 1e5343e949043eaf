#include "app/run_session.h"

#include <algorithm>
#include <deque>
#include <fstream>
#include <iostream>
#include <limits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "app/annotated_video.h"
#include "app/answer.h"
#include "app/detection_report.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/printable.h"
#include "core/status_macros.h"

namespace cleave::app {
namespace {

constexpr std::int64_t kStopPollUs = 20'000;
constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::size_t kRows = 16;
constexpr std::size_t kMaxColumns = 160;

// An inference and what it was made of.
struct Inferred {
  InferenceRecord record;
  std::vector<PictureFile> pictures;  // Empty where the inputs are tensors.
  std::int64_t items = 0;
  std::optional<BatchDetections> detections;
};

// What is shown of a run: of each inference the answer first, then where it ran.
class View {
 public:
  View(const RunOptions& options, std::ostream& out) : options_(options), out_(out) {}

  void Show(const Inferred& inferred, const std::vector<std::string>& items,
            const RunSummary& summary, std::int64_t now_us) {
    const InferenceRecord& record = inferred.record;
    if (options_.view == RunView::kJson) {
      out_ << RecordJson(record, options_.detail, items, inferred.detections) << "\n" << std::flush;
      return;
    }
    const std::vector<std::string>& labels = options_.detail.labels;
    std::vector<std::string> answers = FilteredLines(record, items);
    if (answers.empty()) {
      answers = inferred.detections ? DetectionLines(*inferred.detections, items, labels)
                                    : AnswerLines(record.outputs, items, labels);
    }
    if (options_.view == RunView::kLines) {
      for (const std::string& answer : answers) out_ << answer << "\n";
      if (!std::exchange(header_shown_, true)) out_ << RecordHeader() << "\n";
      out_ << RecordLine(record) << "\n" << std::flush;
      return;
    }
    for (const std::string& answer : answers) AddRow(answer);
    AddRow(RecordLine(record));
    if (now_us - drawn_us_ >= kRedrawUs) Draw(summary, now_us);
  }

  void End(const RunSummary& summary, std::int64_t now_us) {
    const double seconds = static_cast<double>(now_us - started_us_) / 1e6;
    if (options_.view == RunView::kJson) {
      out_ << summary.ToJson(seconds) << "\n" << std::flush;
      return;
    }
    if (options_.view == RunView::kLive) Draw(summary, now_us);
    if (options_.view == RunView::kLines && !header_shown_) out_ << RecordHeader() << "\n";
    out_ << "\n" << summary.ToText(seconds) << std::flush;
  }

 private:
  void AddRow(const std::string& row) {
    rows_.push_back(row.substr(0, kMaxColumns));
    if (rows_.size() > kRows) rows_.pop_front();
  }

  void Draw(const RunSummary& summary, std::int64_t now_us) {
    if (drawn_lines_ > 0) out_ << "\x1b[" << drawn_lines_ << "A\x1b[J";
    out_ << options_.title << ": " << summary.inferences() << " inferences\n"
         << RecordHeader().substr(0, kMaxColumns) << "\n";
    for (const std::string& row : rows_) out_ << row << "\n";
    out_ << std::flush;
    drawn_lines_ = rows_.size() + 2;
    drawn_us_ = now_us;
  }

  const RunOptions& options_;
  std::ostream& out_;
  const std::int64_t started_us_ = Clock::Steady().NowUs();
  bool header_shown_ = false;
  std::deque<std::string> rows_;
  std::size_t drawn_lines_ = 0;
  std::int64_t drawn_us_ = 0;
};

// Finds what the pictures show, and draws it.
absl::Status Detect(const RunOptions& options, Inferred& inferred, Annotator& annotator,
                    AnnotatedVideo& video) {
  if (IsFiltered(inferred.record)) {
    inferred.detections.emplace(static_cast<std::size_t>(inferred.items));
  } else if (options.detector) {
    CLEAVE_ASSIGN_OR_RETURN(inferred.detections,
                            options.detector->Find(inferred.record.outputs, inferred.pictures,
                                                   inferred.items, inferred.record.form));
  }
  if (options.annotate.empty() && options.video.empty()) return absl::OkStatus();
  if (!inferred.detections) {
    return FieldError(options.annotate.empty() ? "--output" : "--annotate",
                      "a model that gives no detections",
                      "a detector (\"detections\" in its sidecar says what its outputs are)");
  }
  for (std::size_t i = 0; i < inferred.pictures.size(); ++i) {
    const PictureFile& picture = inferred.pictures[i];
    const std::vector<Detection>& found = (*inferred.detections)[i];
    if (!options.annotate.empty()) CLEAVE_RETURN_IF_ERROR(annotator.Write(picture, found));
    if (!options.video.empty()) CLEAVE_RETURN_IF_ERROR(video.Write(picture, found));
  }
  return absl::OkStatus();
}

std::vector<std::string> FilesOf(const std::vector<PictureFile>& pictures) {
  std::vector<std::string> files;
  files.reserve(pictures.size());
  for (const PictureFile& picture : pictures) files.push_back(picture.bytes);
  return files;
}

std::int64_t ItemsOf(const std::vector<NamedTensor>& batch) {
  const Shape& shape = batch.front().tensor.shape();
  return shape.empty() ? 1 : shape.front();
}

std::int64_t ItemsOf(const std::vector<PictureFile>& pictures) {
  return static_cast<std::int64_t>(pictures.size());
}

absl::StatusOr<InferenceRecord> InferPicture(Device& device, const PictureFile& picture) {
  absl::StatusOr<InferenceRecord> record = device.InferPictures({picture.bytes});
  if (record.ok()) return record;
  return absl::Status(record.status().code(),
                      absl::StrCat(picture.path, ": ", record.status().message()));
}

void SleepUntil(std::int64_t until_us, const CancelToken& stop) {
  while (!stop.cancelled()) {
    const std::int64_t left_us = until_us - Clock::Steady().NowUs();
    if (left_us <= 0) return;
    absl::SleepFor(absl::Microseconds(std::min(left_us, kStopPollUs)));
  }
}

// One pass of inferences over the inputs, or several.
class Session {
 public:
  Session(Device& device, InputSource& inputs, const RunOptions& options, std::ostream& out)
      : device_(device),
        inputs_(inputs),
        options_(options),
        view_(options, out),
        annotator_(options.annotate, options.detail.labels),
        video_(options.video, options.detail.labels) {}

  // What kJson shows goes to a file as well.
  absl::Status OpenRecords() ABSL_LOCKS_EXCLUDED(mutex_) {
    if (options_.records.empty()) return absl::OkStatus();
    const absl::MutexLock lock(&mutex_);
    records_file_.open(options_.records, std::ios::binary | std::ios::trunc);
    if (!records_file_) {
      return absl::UnavailableError(absl::StrCat(options_.records, ": cannot be written"));
    }
    records_options_ = options_;
    records_options_.view = RunView::kJson;
    records_.emplace(records_options_, records_file_);
    return absl::OkStatus();
  }

  absl::Status Run(const CancelToken& stop) {
    CLEAVE_RETURN_IF_ERROR(OpenRecords());
    const bool draws = !options_.annotate.empty() || !options_.video.empty();
    if (draws && !inputs_.pictures()) {
      return FieldError(options_.annotate.empty() ? "--output" : "--annotate",
                        "inputs that are no files of pictures", "pictures alone");
    }
    const std::int64_t start_us = clock_.NowUs();
    const std::optional<std::int64_t> batches = inputs_.batches();
    const std::int64_t count = options_.duration_us || !batches
                                   ? std::numeric_limits<std::int64_t>::max()
                                   : options_.repeat * *batches;
    const std::int64_t end_us = options_.duration_us ? start_us + *options_.duration_us
                                                     : std::numeric_limits<std::int64_t>::max();
    absl::Status status;
    for (std::int64_t i = 0; i < count && !ended_ && !stop.cancelled() && clock_.NowUs() < end_us;
         ++i) {
      const std::int64_t next_us = clock_.NowUs() + options_.interval_us;
      status = inputs_.pictures() ? InferPictures() : InferTensors();
      if (status.ok()) status = EndedSoFar(Wait::kForNone);
      if (!status.ok()) break;
      if (i + 1 < count) SleepUntil(std::min(next_us, end_us), stop);
    }
    const absl::Status rest = EndedSoFar(Wait::kForAll);
    if (status.ok()) status = rest;
    const absl::MutexLock lock(&mutex_);
    summary_.SetDropped(inputs_.dropped());
    view_.End(summary_, clock_.NowUs());
    if (records_) records_->End(summary_, clock_.NowUs());
    if (status.ok()) status = video_.Finish();
    if (status.ok() && records_ && !records_file_.flush()) {
      status = absl::UnavailableError(absl::StrCat(options_.records, ": not all could be written"));
    }
    if (!status.ok() || summary_.skipped() == 0) return status;
    return absl::InvalidArgumentError(absl::StrCat(
        summary_.skipped(), " inputs were skipped, the first: ", first_skipped_.message()));
  }

 private:
  absl::Status Show(Inferred inferred, const std::vector<std::string>& names)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return ShowLocked(std::move(inferred), names);
  }

  absl::Status ShowLocked(Inferred inferred, const std::vector<std::string>& names)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (options_.on_record) options_.on_record(inferred.record);
    const absl::Status detected = Detect(options_, inferred, annotator_, video_);
    summary_.Add(inferred.record, inferred.detections);
    CLEAVE_RETURN_IF_ERROR(detected);
    if (!std::exchange(labels_fit_, true) && !inferred.detections) {
      CLEAVE_RETURN_IF_ERROR(CheckLabelsFit(inferred.record.outputs, options_.detail.labels,
                                            options_.detail.labels_origin));
    }
    view_.Show(inferred, names, summary_, clock_.NowUs());
    if (records_) records_->Show(inferred, names, summary_, clock_.NowUs());
    return absl::OkStatus();
  }

  // An input that cannot be read is left out where there are others.
  absl::Status Skip(const absl::Status& why) {
    const bool only = inputs_.batches() == 1 && inputs_.names().size() <= 1;
    if (only || !absl::IsInvalidArgument(why)) return why;
    const absl::MutexLock lock(&mutex_);
    first_skipped_.Update(why);
    summary_.AddSkipped();
    std::cerr << "cleave: skipped " << Printable(why.message()) << "\n";
    return absl::OkStatus();
  }

  absl::Status InferTensors() {
    const absl::StatusOr<std::vector<NamedTensor>> batch = inputs_.Next();
    if (!batch.ok()) return Skip(batch.status());
    const std::int64_t items = ItemsOf(*batch);
    if (options_.in_flight > 1) return StartTensors(*batch, items);
    CLEAVE_ASSIGN_OR_RETURN(InferenceRecord record, device_.Infer(*batch));
    return Show(Make(std::move(record), {}, items), inputs_.names());
  }

  // Takes an answer of several in flight. Pictures of which one cannot be read run one by one
  // later.
  InferenceDone WhenDone(std::vector<PictureFile> pictures, std::int64_t items) {
    return [this, pictures = std::move(pictures), items,
            names = inputs_.names()](absl::StatusOr<InferenceRecord> record) {
      const absl::MutexLock lock(&mutex_);
      absl::Status status = record.status();
      if (record.ok()) {
        status = ShowLocked(Make(*std::move(record), pictures, items), names);
      } else if (absl::IsInvalidArgument(status) && !pictures.empty()) {
        broken_.push_back(pictures);
        status = absl::OkStatus();
      }
      End(status);
    };
  }

  absl::Status StartTensors(const std::vector<NamedTensor>& batch, std::int64_t items) {
    Begin();
    return CancelUnlessOk(device_.InferAsync(batch, WhenDone({}, items)));
  }

  absl::Status StartPictures(const std::vector<PictureFile>& pictures) {
    Begin();
    return CancelUnlessOk(
        device_.InferPicturesAsync(FilesOf(pictures), WhenDone(pictures, ItemsOf(pictures))));
  }

  void Begin() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    ++under_way_;
  }
  absl::Status CancelUnlessOk(const absl::Status& started) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (started.ok()) return started;
    const absl::MutexLock lock(&mutex_);
    --under_way_;
    return started;
  }
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    failure_.Update(status);
    --under_way_;
  }

  // The first error of those that have ended; the pictures that could not be read run one by one.
  enum class Wait { kForNone, kForAll };
  absl::Status EndedSoFar(Wait wait) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<std::vector<PictureFile>> broken;
    {
      const absl::MutexLock lock(&mutex_);
      if (wait == Wait::kForAll) {
        mutex_.Await(absl::Condition(
            +[](std::int64_t* under_way) { return *under_way == 0; }, &under_way_));
      }
      CLEAVE_RETURN_IF_ERROR(failure_);
      broken.swap(broken_);
    }
    for (const std::vector<PictureFile>& pictures : broken) {
      CLEAVE_RETURN_IF_ERROR(InferOneByOne(pictures));
    }
    return absl::OkStatus();
  }

  // Where one picture of a batch is broken, each runs by itself.
  absl::Status InferPictures() {
    const absl::StatusOr<std::vector<PictureFile>> next = inputs_.NextPictures();
    ended_ = absl::IsOutOfRange(next.status()) && !inputs_.batches();
    if (ended_) return absl::OkStatus();
    CLEAVE_RETURN_IF_ERROR(next.status());
    const std::vector<PictureFile>& pictures = *next;
    if (pictures.empty()) return absl::OkStatus();
    if (options_.in_flight > 1) return StartPictures(pictures);
    absl::StatusOr<InferenceRecord> record = device_.InferPictures(FilesOf(pictures));
    if (record.ok())
      return Show(Make(*std::move(record), pictures, ItemsOf(pictures)), inputs_.names());
    return absl::IsInvalidArgument(record.status()) ? InferOneByOne(pictures) : record.status();
  }

  absl::Status InferOneByOne(const std::vector<PictureFile>& pictures) {
    for (const PictureFile& picture : pictures) {
      absl::StatusOr<InferenceRecord> one = InferPicture(device_, picture);
      CLEAVE_RETURN_IF_ERROR(one.ok() ? Show(Make(*std::move(one), {picture}, 1), {picture.path})
                                      : Skip(one.status()));
    }
    return absl::OkStatus();
  }

  static Inferred Make(InferenceRecord record, const std::vector<PictureFile>& pictures,
                       std::int64_t items) {
    Inferred inferred;
    inferred.record = std::move(record);
    inferred.pictures = pictures;
    inferred.items = items;
    return inferred;
  }

  Device& device_;
  InputSource& inputs_;
  const RunOptions& options_;
  const Clock& clock_ = Clock::Steady();
  bool ended_ = false;  // A video has no more frames.

  absl::Mutex mutex_;  // Answers of several in flight come on the device's own threads.
  View view_ ABSL_GUARDED_BY(mutex_);
  Annotator annotator_ ABSL_GUARDED_BY(mutex_);
  AnnotatedVideo video_ ABSL_GUARDED_BY(mutex_);
  RunOptions records_options_ ABSL_GUARDED_BY(mutex_);
  std::ofstream records_file_ ABSL_GUARDED_BY(mutex_);
  std::optional<View> records_ ABSL_GUARDED_BY(mutex_);
  RunSummary summary_ ABSL_GUARDED_BY(mutex_);
  bool labels_fit_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status first_skipped_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::int64_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::vector<PictureFile>> broken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status RunSession(Device& device, InputSource& inputs, const RunOptions& options,
                        const CancelToken& stop, std::ostream& out) {
  return Session(device, inputs, options, out).Run(stop);
}

}  // namespace cleave::app
