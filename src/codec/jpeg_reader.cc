#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codec/image_reader.h"
#include "codec/jpeg_library.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

// Each scan covers the whole image; encoders write about ten.
constexpr int kMostScans = 100;
constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr int kCmykChannels = 4;

// Returns a x b / 255, rounded.
unsigned ByteProduct(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Adobe's CMYK is inverted: each value says how much light is left.
void CmykToRgb(const std::uint8_t* cmyk, std::size_t pixels, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < pixels; ++i, cmyk += kCmykChannels, rgb += RgbImage::kChannels) {
    const int light = cmyk[3];
    for (int channel = 0; channel < RgbImage::kChannels; ++channel) {
      const auto ink = static_cast<int>(ByteProduct(255U - cmyk[channel], cmyk[3]));
      rgb[channel] = static_cast<std::uint8_t>(std::max(0, light - ink));
    }
  }
}

class JpegReader final : public ImageReader {
 public:
  JpegReader(absl::string_view encoded, std::string origin)
      : encoded_(encoded), origin_(std::move(origin)) {
    info_.err = errors_.Install();
    progress_.progress_monitor = LimitScans;
  }
  // Does nothing where there is nothing to be freed.
  ~JpegReader() override { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  absl::Status ReadHeader() {
    if (!TryReadHeader()) return Fault();
    const int channels = info_.num_components;
    if (channels != 1 && channels != 3 && channels != kCmykChannels) {
      return FieldError(origin_, absl::StrCat("a JPEG image of ", channels, " components"),
                        "1, 3 or 4");
    }
    header_.stored = {static_cast<int>(info_.image_width), static_cast<int>(info_.image_height)};
    header_.orientation = FindOrientation();
    return absl::OkStatus();
  }

  absl::Status ReadPixels(std::uint8_t* rgb) override {
    if (info_.num_components == kCmykChannels) {
      cmyk_.resize(std::size_t{info_.image_width} * kCmykChannels);
    }
    return TryReadPixels(rgb) ? absl::OkStatus() : Fault();
  }

 private:
  static void LimitScans(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) {
      ERREXIT(info, JERR_EOI_EXPECTED);
    }
  }

  // The two functions that libjpeg may leave by a jump hold nothing with a destructor.
  bool TryReadHeader() {
    if (setjmp(errors_.out) != 0) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(encoded_.data()), encoded_.size());
    jpeg_save_markers(&info_, kExifMarker, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  bool TryReadPixels(std::uint8_t* rgb) {
    if (setjmp(errors_.out) != 0) return false;
    info_.out_color_space = cmyk_.empty() ? JCS_RGB : JCS_CMYK;
    // These two are the same in the library's C, its code for x86-64 and its code for Arm.
    info_.dct_method = JDCT_ISLOW;
    info_.do_fancy_upsampling = TRUE;
    // The guess at what a progressive image leaves out differs between versions.
    info_.do_block_smoothing = FALSE;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) ReadRow(rgb);
    jpeg_finish_decompress(&info_);
    return true;
  }

  void ReadRow(std::uint8_t* rgb) {
    JSAMPROW row =
        rgb + std::size_t{info_.output_scanline} * info_.output_width * RgbImage::kChannels;
    JSAMPROW cmyk = cmyk_.data();
    jpeg_read_scanlines(&info_, cmyk_.empty() ? &row : &cmyk, 1);
    if (!cmyk_.empty()) CmykToRgb(cmyk, info_.output_width, row);
  }

  Orientation FindOrientation() const {
    for (const jpeg_marker_struct* marker = info_.marker_list; marker != nullptr;
         marker = marker->next) {
      const absl::string_view data(reinterpret_cast<const char*>(marker->data),
                                   marker->data_length);
      if (absl::StartsWith(data, absl::string_view("Exif\0\0", 6))) return ReadOrientation(data);
    }
    return Orientation::kUpright;
  }

  absl::Status Fault() const {
    switch (errors_.code) {
      case JWRN_JPEG_EOF:
      case JERR_INPUT_EMPTY:
      case JERR_INPUT_EOF:
        return FieldError(origin_, "a JPEG image that breaks off before its end", "a whole one");
      case JERR_BAD_HUFF_TABLE:
        return FieldError(origin_, "a broken Huffman table in the JPEG image", "a sound one");
      case JERR_EOI_EXPECTED:
        return FieldError(origin_, "too many scans in the JPEG image",
                          absl::StrCat("1, or at most ", kMostScans, " that differ"));
      case JERR_OUT_OF_MEMORY:
        return absl::ResourceExhaustedError(
            absl::StrCat(origin_, ": there is no memory to decode the JPEG image"));
      default:
        return FieldError(origin_, absl::StrCat("a broken JPEG image (", errors_.message, ")"),
                          "a sound one");
    }
  }

  const absl::string_view encoded_;
  const std::string origin_;
  jpeg_decompress_struct info_ = {};
  jpeg_progress_mgr progress_ = {};
  JpegErrors errors_ = {};
  std::vector<std::uint8_t> cmyk_;  // A row; empty where libjpeg makes RGB.
};

}  // namespace

absl::StatusOr<std::unique_ptr<ImageReader>> OpenJpeg(absl::string_view encoded,
                                                      const std::string& origin) {
  auto reader = std::make_unique<JpegReader>(encoded, origin);
  CLEAVE_RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

}  // namespace cleave
