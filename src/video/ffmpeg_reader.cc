#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "codec/rgb_image.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "video/ffmpeg.h"
#include "video/frame_reader.h"

namespace cleave::video {
namespace {

struct FreeFormat {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
};
// What a source may open in turn; a playlist in a file could name anything else.
const char* ProtocolsOf(const std::string& source) {
  if (absl::StartsWithIgnoreCase(source, "rtsp")) return "rtsp,rtsps,rtp,udp,tcp,tls";
  if (absl::StartsWithIgnoreCase(source, "http")) return "http,https,tcp,tls";
  return "file";
}

// Whether a JPEG brings its own Huffman tables; those of some cameras leave them out, which no
// reader of files takes.
bool IsWholeJpeg(absl::string_view bytes) {
  return absl::StartsWith(bytes, "\xff\xd8\xff") && absl::StrContains(bytes, "\xff\xc4");
}

class FfmpegReader final : public FrameReader {
 public:
  FfmpegReader(std::string source, const FrameReaderOptions& options)
      : source_(std::move(source)), options_(options) {}

  absl::Status Start() {
    av_log_set_level(AV_LOG_QUIET);
    CLEAVE_RETURN_IF_ERROR(OpenFormat());
    CLEAVE_RETURN_IF_ERROR(OpenCodec());
    packet_.reset(av_packet_alloc());
    frame_.reset(av_frame_alloc());
    if (packet_ && frame_) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(source_, ": no memory for a frame"));
  }

  absl::StatusOr<Frame> Next() override {
    until_us_ = Clock::Steady().NowUs() + options_.patience_us;
    const bool jpegs = codec_->codec_id == AV_CODEC_ID_MJPEG;
    while (true) {
      // What the decoder still has comes first; a JPEG is a frame by itself.
      const int decoded = avcodec_receive_frame(codec_.get(), frame_.get());
      if (decoded == 0) return Decoded();
      if (decoded == AVERROR_EOF) return Ended(AVERROR_EOF);
      const int read = av_read_frame(format_.get(), packet_.get());
      if (read == AVERROR_EOF) {
        avcodec_send_packet(codec_.get(), nullptr);
        continue;
      }
      if (read < 0) return Ended(read);
      const std::unique_ptr<AVPacket, void (*)(AVPacket*)> used(packet_.get(), av_packet_unref);
      if (packet_->stream_index != stream_->index) continue;
      const absl::string_view bytes(reinterpret_cast<const char*>(packet_->data),
                                    static_cast<std::size_t>(packet_->size));
      if (jpegs && IsWholeJpeg(bytes)) return Numbered(std::string(bytes), packet_->pts);
      // A packet that is damaged takes its frame with it, and no other.
      avcodec_send_packet(codec_.get(), packet_.get());
    }
  }

 private:
  static int Interrupted(void* self) {
    const auto* const reader = static_cast<const FfmpegReader*>(self);
    return Clock::Steady().NowUs() >= reader->until_us_ ? 1 : 0;
  }

  absl::Status OpenFormat() {
    until_us_ = Clock::Steady().NowUs() + options_.patience_us;
    AVFormatContext* format = avformat_alloc_context();
    if (format == nullptr) return absl::ResourceExhaustedError(source_);
    format->interrupt_callback = {Interrupted, this};
    AVDictionary* options = nullptr;
    av_dict_set(&options, "protocol_whitelist", ProtocolsOf(source_), 0);
    if (absl::StartsWithIgnoreCase(source_, "rtsp")) {
      av_dict_set(&options, "rtsp_transport", "tcp", 0);
    }
    const int opened = avformat_open_input(&format, source_.c_str(), nullptr, &options);
    av_dict_free(&options);
    if (opened < 0) return Refused(opened);
    format_.reset(format);
    const int found = avformat_find_stream_info(format_.get(), nullptr);
    return found < 0 ? Refused(found) : absl::OkStatus();
  }

  absl::Status OpenCodec() {
    const AVCodec* decoder = nullptr;
    const int index = av_find_best_stream(format_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (index < 0 || decoder == nullptr) {
      return FieldError(source_, "no video that can be decoded", "a stream of pictures");
    }
    stream_ = format_->streams[index];
    CLEAVE_RETURN_IF_ERROR(CheckSize({stream_->codecpar->width, stream_->codecpar->height}));
    codec_.reset(avcodec_alloc_context3(decoder));
    if (!codec_) return absl::ResourceExhaustedError(source_);
    codec_->max_pixels = kMaxImagePixels;
    codec_->thread_count = 1;
    int error = avcodec_parameters_to_context(codec_.get(), stream_->codecpar);
    if (error >= 0) error = avcodec_open2(codec_.get(), decoder, nullptr);
    return error < 0 ? Refused(error) : absl::OkStatus();
  }

  absl::Status CheckSize(ImageSize size) const {
    if (size.width >= 1 && size.height >= 1 && size.width <= kMaxImageSide &&
        size.height <= kMaxImageSide && size.pixels() <= kMaxImagePixels) {
      return absl::OkStatus();
    }
    return FieldError(
        source_, absl::StrCat("frames of ", size.width, "x", size.height),
        absl::StrCat("sides of 1 to ", kMaxImageSide, " and at most ", kMaxImagePixels, " pixels"));
  }

  absl::Status Refused(int error) const {
    const std::string name = Printable(source_);
    if (error == AVERROR_EXIT) {
      return absl::DeadlineExceededError(absl::StrCat(name, ": nothing came in time"));
    }
    if (error == AVERROR(ENOENT)) return absl::NotFoundError(absl::StrCat(name, ": no such file"));
    if (KindOf(source_) == SourceKind::kCamera) {
      return absl::UnavailableError(absl::StrCat(name, ": ", ErrorText(error)));
    }
    return FieldError(name, absl::StrCat("no readable video (", ErrorText(error), ")"),
                      absl::StrCat("a file such as ", kVideoEndings));
  }

  absl::Status Ended(int error) const {
    if (error == AVERROR_EOF && KindOf(source_) == SourceKind::kFile) {
      return absl::OutOfRangeError(absl::StrCat(Printable(source_), ": the video ends"));
    }
    if (error == AVERROR_EXIT) return Refused(error);
    return absl::UnavailableError(absl::StrCat(Printable(source_), ": broke off after ", count_,
                                               " frames (", ErrorText(error), ")"));
  }

  absl::StatusOr<Frame> Decoded() {
    const std::unique_ptr<AVFrame, void (*)(AVFrame*)> used(frame_.get(), av_frame_unref);
    RgbImage picture({frame_->width, frame_->height});
    CLEAVE_RETURN_IF_ERROR(CheckSize(picture.size));
    scaler_.reset(sws_getCachedContext(scaler_.release(), frame_->width, frame_->height,
                                       static_cast<AVPixelFormat>(frame_->format), frame_->width,
                                       frame_->height, AV_PIX_FMT_RGB24, SWS_BILINEAR, nullptr,
                                       nullptr, nullptr));
    if (!scaler_) return FieldError(source_, "frames of an unknown kind of pixels", "known ones");
    std::uint8_t* const rows[] = {picture.rgb.data()};
    const int row_bytes[] = {static_cast<int>(picture.row_bytes())};
    sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, frame_->height, rows, row_bytes);
    CLEAVE_ASSIGN_OR_RETURN(std::string file,
                            EncodePng(picture.rgb, picture.size.height, picture.size.width));
    return Numbered(std::move(file), frame_->best_effort_timestamp);
  }

  Frame Numbered(std::string file, std::int64_t timestamp) {
    Frame frame{.file = std::move(file), .number = count_++, .time_us = last_us_};
    if (timestamp != AV_NOPTS_VALUE) {
      const std::int64_t at_us = av_rescale_q(timestamp, stream_->time_base, kMicroseconds);
      if (!first_us_) first_us_ = at_us;
      frame.time_us = std::max(last_us_, at_us - *first_us_);
    }
    last_us_ = frame.time_us;
    return frame;
  }

  const std::string source_;
  const FrameReaderOptions options_;
  std::int64_t until_us_ = std::numeric_limits<std::int64_t>::max();
  std::unique_ptr<AVFormatContext, FreeFormat> format_;
  AVStream* stream_ = nullptr;  // Of the format.
  CodecContext codec_;
  PacketPtr packet_;
  FramePtr frame_;
  Scaler scaler_;
  std::int64_t count_ = 0;
  std::optional<std::int64_t> first_us_;
  std::int64_t last_us_ = 0;
};

}  // namespace

bool HasVideo() { return true; }

absl::StatusOr<std::unique_ptr<FrameReader>> FrameReader::Open(const std::string& source,
                                                               const FrameReaderOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  auto reader = std::make_unique<FfmpegReader>(source, options);
  CLEAVE_RETURN_IF_ERROR(reader->Start());
  return reader;
}

}  // namespace cleave::video
