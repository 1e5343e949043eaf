#include "app/run_session.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "app/answer.h"
#include "app/detection_report.h"
#include "core/check.h"
#include "core/clock.h"
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
    const std::vector<std::string> answers =
        inferred.detections ? DetectionLines(*inferred.detections, items, labels)
                            : AnswerLines(record.outputs, items, labels);
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

absl::StatusOr<Inferred> InferNext(Device& device, InputSource& inputs) {
  Inferred inferred;
  if (inputs.pictures()) {
    CLEAVE_ASSIGN_OR_RETURN(inferred.pictures, inputs.NextPictures());
    inferred.items = static_cast<std::int64_t>(inferred.pictures.size());
    std::vector<std::string> files;
    std::vector<std::string> paths;
    for (const PictureFile& picture : inferred.pictures) {
      files.push_back(picture.bytes);
      paths.push_back(picture.path);
    }
    absl::StatusOr<InferenceRecord> record = device.InferPictures(files);
    if (record.ok()) {
      inferred.record = *std::move(record);
      return inferred;
    }
    return absl::Status(record.status().code(),
                        absl::StrCat(absl::StrJoin(paths, ", "), ": ", record.status().message()));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> batch, inputs.Next());
  CLEAVE_ASSIGN_OR_RETURN(inferred.record, device.Infer(batch));
  const Shape& shape = batch.front().tensor.shape();
  inferred.items = shape.empty() ? 1 : shape.front();
  return inferred;
}

// Finds what the pictures show, and draws it.
absl::Status Detect(const RunOptions& options, Inferred& inferred, Annotator& annotator) {
  if (options.detector) {
    CLEAVE_ASSIGN_OR_RETURN(
        inferred.detections,
        options.detector->Find(inferred.record.outputs, inferred.pictures, inferred.items));
  }
  if (options.annotate.empty()) return absl::OkStatus();
  if (!inferred.detections) {
    return FieldError("--annotate", "a model that gives no detections",
                      "a detector (\"detections\" in its sidecar says what its outputs are)");
  }
  for (std::size_t i = 0; i < inferred.pictures.size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(annotator.Write(inferred.pictures[i], (*inferred.detections)[i]));
  }
  return absl::OkStatus();
}

void SleepUntil(std::int64_t until_us, const CancelToken& stop) {
  while (!stop.cancelled()) {
    const std::int64_t left_us = until_us - Clock::Steady().NowUs();
    if (left_us <= 0) return;
    absl::SleepFor(absl::Microseconds(std::min(left_us, kStopPollUs)));
  }
}

}  // namespace

absl::Status RunSession(Device& device, InputSource& inputs, const RunOptions& options,
                        const CancelToken& stop, std::ostream& out) {
  const Clock& clock = Clock::Steady();
  const std::int64_t start_us = clock.NowUs();
  const std::int64_t count = options.duration_us ? std::numeric_limits<std::int64_t>::max()
                                                 : options.repeat * inputs.batches();
  const std::int64_t end_us = options.duration_us ? start_us + *options.duration_us
                                                  : std::numeric_limits<std::int64_t>::max();
  if (!options.annotate.empty() && !inputs.pictures()) {
    return FieldError("--annotate", "inputs that are no files of pictures", "pictures alone");
  }
  View view(options, out);
  Annotator annotator(options.annotate, options.detail.labels);
  RunSummary summary;
  absl::Status status;
  bool labels_fit = false;
  for (std::int64_t i = 0; i < count && !stop.cancelled() && clock.NowUs() < end_us; ++i) {
    const std::int64_t next_us = clock.NowUs() + options.interval_us;
    const auto one = [&]() -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(Inferred inferred, InferNext(device, inputs));
      summary.Add(inferred.record);
      CLEAVE_RETURN_IF_ERROR(Detect(options, inferred, annotator));
      if (!std::exchange(labels_fit, true) && !inferred.detections) {
        CLEAVE_RETURN_IF_ERROR(CheckLabelsFit(inferred.record.outputs, options.detail.labels,
                                              options.detail.labels_origin));
      }
      view.Show(inferred, inputs.names(), summary, clock.NowUs());
      return absl::OkStatus();
    };
    status = one();
    if (!status.ok()) break;
    if (i + 1 < count) SleepUntil(std::min(next_us, end_us), stop);
  }
  view.End(summary, clock.NowUs());
  return status;
}

}  // namespace cleave::app
