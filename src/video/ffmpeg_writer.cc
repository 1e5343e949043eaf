#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "core/check.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "video/ffmpeg.h"
#include "video/frame_reader.h"
#include "video/frame_writer.h"

namespace cleave::video {
namespace {

constexpr AVRational kTimeBase = {1, 90'000};
constexpr int kKeyFrameEvery = 50;
constexpr int kQuantizer = 4;  // Of encoders that have no quality of their own.

struct CloseOutput {
  void operator()(AVFormatContext* format) const {
    if (format->pb != nullptr) avio_closep(&format->pb);
    avformat_free_context(format);
  }
};

const AVCodec* EncoderFor(const AVFormatContext& format) {
  const AVCodec* h264 = avcodec_find_encoder_by_name("libx264");
  const bool holds_h264 =
      h264 != nullptr && avformat_query_codec(format.oformat, h264->id, FF_COMPLIANCE_NORMAL) == 1;
  return holds_h264 ? h264 : avcodec_find_encoder(format.oformat->video_codec);
}

class FfmpegWriter final : public FrameWriter {
 public:
  FfmpegWriter(std::string path, ImageSize size) : path_(std::move(path)), size_(size) {}
  ~FfmpegWriter() override { Finish().IgnoreError(); }

  absl::Status Start() {
    av_log_set_level(AV_LOG_QUIET);
    if (size_.width < 2 || size_.height < 2 || size_.width > kMaxImageSide ||
        size_.height > kMaxImageSide) {
      return FieldError(Printable(path_),
                        absl::StrCat("frames of ", size_.width, "x", size_.height),
                        absl::StrCat("sides of 2 to ", kMaxImageSide));
    }
    AVFormatContext* format = nullptr;
    avformat_alloc_output_context2(&format, nullptr, nullptr, path_.c_str());
    if (format == nullptr || KindOf(path_) != SourceKind::kFile) {
      if (format != nullptr) avformat_free_context(format);
      return FieldError("video", absl::StrCat("'", Printable(path_), "'"),
                        absl::StrCat("a file that ends in one of ", kVideoEndings));
    }
    format_.reset(format);
    CLEAVE_RETURN_IF_ERROR(OpenCodec());
    CLEAVE_RETURN_IF_ERROR(OpenFile());
    packet_.reset(av_packet_alloc());
    return MakeFrame();
  }

  absl::Status Write(const RgbImage& picture, std::int64_t time_us) override {
    if (picture.size.width != size_.width || picture.size.height != size_.height) {
      return FieldError(Printable(path_),
                        absl::StrCat("a frame of ", picture.size.width, "x", picture.size.height),
                        absl::StrCat(size_.width, "x", size_.height, ", as the first"));
    }
    int error = av_frame_make_writable(frame_.get());
    if (error < 0) return Failed(error);
    const std::uint8_t* const rows[] = {picture.rgb.data()};
    const int row_bytes[] = {static_cast<int>(picture.row_bytes())};
    sws_scale(scaler_.get(), rows, row_bytes, 0, frame_->height, frame_->data, frame_->linesize);
    frame_->pts = std::max(last_ + 1, av_rescale_q(time_us, kMicroseconds, kTimeBase));
    if (last_ >= 0) duration_ = frame_->pts - last_;
    last_ = frame_->pts;
    error = avcodec_send_frame(codec_.get(), frame_.get());
    return error < 0 ? Failed(error) : WritePackets();
  }

  absl::Status Finish() override {
    if (!std::exchange(begun_, false)) return absl::OkStatus();
    avcodec_send_frame(codec_.get(), nullptr);
    CLEAVE_RETURN_IF_ERROR(WritePackets());
    const int error = av_write_trailer(format_.get());
    return error < 0 ? Failed(error) : absl::OkStatus();
  }

 private:
  absl::Status OpenCodec() {
    const AVCodec* encoder = EncoderFor(*format_);
    stream_ = encoder == nullptr ? nullptr : avformat_new_stream(format_.get(), encoder);
    if (stream_ == nullptr) {
      return absl::UnimplementedError(
          absl::StrCat(Printable(path_), ": FFmpeg's libraries here cannot write such videos"));
    }
    codec_.reset(avcodec_alloc_context3(encoder));
    if (!codec_) return absl::ResourceExhaustedError(path_);
    codec_->width = size_.width & ~1;
    codec_->height = size_.height & ~1;
    codec_->pix_fmt = AV_PIX_FMT_YUV420P;
    codec_->time_base = kTimeBase;
    codec_->gop_size = kKeyFrameEvery;
    codec_->thread_count = 1;
    codec_->flags |= AV_CODEC_FLAG_QSCALE;
    codec_->global_quality = FF_QP2LAMBDA * kQuantizer;
    if ((format_->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
      codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    AVDictionary* options = nullptr;
    av_dict_set(&options, "preset", "veryfast", 0);
    int error = avcodec_open2(codec_.get(), encoder, &options);
    av_dict_free(&options);
    if (error >= 0) error = avcodec_parameters_from_context(stream_->codecpar, codec_.get());
    stream_->time_base = kTimeBase;
    return error < 0 ? Failed(error) : absl::OkStatus();
  }

  absl::Status OpenFile() {
    int error = avio_open(&format_->pb, path_.c_str(), AVIO_FLAG_WRITE);
    if (error >= 0) error = avformat_write_header(format_.get(), nullptr);
    begun_ = error >= 0;
    return begun_ ? absl::OkStatus() : Failed(error);
  }

  absl::Status MakeFrame() {
    frame_.reset(av_frame_alloc());
    if (!packet_ || !frame_) return absl::ResourceExhaustedError(path_);
    frame_->format = codec_->pix_fmt;
    frame_->width = codec_->width;
    frame_->height = codec_->height;
    const int error = av_frame_get_buffer(frame_.get(), 0);
    if (error < 0) return Failed(error);
    scaler_.reset(sws_getContext(frame_->width, frame_->height, AV_PIX_FMT_RGB24, frame_->width,
                                 frame_->height, codec_->pix_fmt, SWS_BILINEAR, nullptr, nullptr,
                                 nullptr));
    return scaler_ ? absl::OkStatus() : absl::ResourceExhaustedError(path_);
  }

  absl::Status WritePackets() {
    while (avcodec_receive_packet(codec_.get(), packet_.get()) == 0) {
      av_packet_rescale_ts(packet_.get(), kTimeBase, stream_->time_base);
      packet_->stream_index = stream_->index;
      packet_->duration = av_rescale_q(duration_, kTimeBase, stream_->time_base);
      const int error = av_interleaved_write_frame(format_.get(), packet_.get());
      if (error < 0) return Failed(error);
    }
    return absl::OkStatus();
  }

  absl::Status Failed(int error) const {
    const std::string text =
        absl::StrCat(Printable(path_), ": cannot be written (", ErrorText(error), ")");
    if (error == AVERROR(ENOENT)) return absl::NotFoundError(text);
    if (error == AVERROR(EACCES)) return absl::PermissionDeniedError(text);
    return absl::UnavailableError(text);
  }

  const std::string path_;
  const ImageSize size_;
  std::unique_ptr<AVFormatContext, CloseOutput> format_;
  AVStream* stream_ = nullptr;  // Of the format.
  CodecContext codec_;
  PacketPtr packet_;
  FramePtr frame_;
  Scaler scaler_;
  std::int64_t last_ = -1;  // In kTimeBase.
  // In kTimeBase: how long a frame is shown, if none comes after it; players leave out one of
  // nothing.
  std::int64_t duration_ = 3'600;
  bool begun_ = false;  // There is a header, and no trailer.
};

}  // namespace

absl::StatusOr<std::unique_ptr<FrameWriter>> FrameWriter::Open(const std::string& path,
                                                               ImageSize size) {
  auto writer = std::make_unique<FfmpegWriter>(path, size);
  CLEAVE_RETURN_IF_ERROR(writer->Start());
  return writer;
}

}  // namespace cleave::video
