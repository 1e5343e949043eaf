#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/image_reader.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

absl::string_view NameOf(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_INVALID_PARAM:
      return "invalid parameter";
    case VP8_STATUS_BITSTREAM_ERROR:
      return "bitstream error";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "unsupported feature";
    default:
      return "no error";
  }
}

class WebpReader final : public ImageReader {
 public:
  WebpReader(absl::string_view encoded, std::string origin)
      : encoded_(encoded), origin_(std::move(origin)) {}

  absl::Status ReadHeader() {
    WebPBitstreamFeatures features;
    const VP8StatusCode code = WebPGetFeatures(data(), encoded_.size(), &features);
    if (code != VP8_STATUS_OK) return Fault(code);
    if (features.has_animation != 0) {
      return FieldError(origin_, "an animated WebP image", "a still one");
    }
    header_.stored = {features.width, features.height};
    header_.orientation = FindOrientation();
    return absl::OkStatus();
  }

  absl::Status ReadPixels(std::uint8_t* rgb) override {
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0) {
      return absl::InternalError("libwebp: found another version than its header's");
    }
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = rgb;
    config.output.u.RGBA.stride = header_.stored.width * RgbImage::kChannels;
    config.output.u.RGBA.size =
        static_cast<std::size_t>(header_.stored.pixels()) * RgbImage::kChannels;
    const VP8StatusCode code = WebPDecode(data(), encoded_.size(), &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? absl::OkStatus() : Fault(code);
  }

 private:
  const std::uint8_t* data() const {
    return reinterpret_cast<const std::uint8_t*>(encoded_.data());
  }

  Orientation FindOrientation() const {
    const WebPData whole = {data(), encoded_.size()};
    const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> chunks(WebPDemux(&whole),
                                                                      WebPDemuxDelete);
    WebPChunkIterator chunk;
    if (chunks == nullptr || WebPDemuxGetChunk(chunks.get(), "EXIF", 1, &chunk) == 0) {
      return Orientation::kUpright;
    }
    const Orientation found =
        ReadOrientation({reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size});
    WebPDemuxReleaseChunkIterator(&chunk);
    return found;
  }

  absl::Status Fault(VP8StatusCode code) const {
    if (code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED) {
      return FieldError(origin_, "a WebP image that breaks off before its end", "a whole one");
    }
    if (code == VP8_STATUS_OUT_OF_MEMORY) {
      return absl::ResourceExhaustedError(
          absl::StrCat(origin_, ": there is no memory to decode the WebP image"));
    }
    return FieldError(origin_, absl::StrCat("a broken WebP image (", NameOf(code), ")"),
                      "a sound one");
  }

  const absl::string_view encoded_;
  const std::string origin_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ImageReader>> OpenWebp(absl::string_view encoded,
                                                      const std::string& origin) {
  auto reader = std::make_unique<WebpReader>(encoded, origin);
  CLEAVE_RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

}  // namespace cleave
