#include "codec/jpeg_writer.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "codec/jpeg_library.h"

namespace cleave {
namespace {

constexpr int kBestHalvedColours = 90;
// Below, the headers of ten scans cost more than the scans save.
constexpr std::int64_t kLeastProgressivePixels = std::int64_t{128} * 128;

class JpegWriter {
 public:
  JpegWriter() { info_.err = errors_.Install(); }
  // Both do nothing where there is nothing to be freed.
  ~JpegWriter() {
    jpeg_destroy_compress(&info_);
    std::free(file_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  // The function that libjpeg may leave by a jump holds nothing with a destructor.
  bool Write(const std::uint8_t* rgb, ImageSize size, int quality) {
    if (setjmp(errors_.out) != 0) return false;
    jpeg_create_compress(&info_);
    jpeg_mem_dest(&info_, &file_, &file_bytes_);
    info_.image_width = static_cast<JDIMENSION>(size.width);
    info_.image_height = static_cast<JDIMENSION>(size.height);
    info_.input_components = RgbImage::kChannels;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    info_.dct_method = JDCT_ISLOW;
    info_.optimize_coding = TRUE;
    if (size.pixels() >= kLeastProgressivePixels) jpeg_simple_progression(&info_);
    if (quality > kBestHalvedColours) {
      info_.comp_info[0].h_samp_factor = info_.comp_info[0].v_samp_factor = 1;
    }
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) WriteRow(rgb);
    jpeg_finish_compress(&info_);
    return true;
  }

  std::string file() const { return {reinterpret_cast<const char*>(file_), file_bytes_}; }
  const char* message() const { return errors_.message; }

 private:
  void WriteRow(const std::uint8_t* rgb) {
    // libjpeg does not write to it.
    JSAMPROW row = const_cast<JSAMPROW>(rgb) +
                   std::size_t{info_.next_scanline} * info_.image_width * RgbImage::kChannels;
    jpeg_write_scanlines(&info_, &row, 1);
  }

  jpeg_compress_struct info_ = {};
  JpegErrors errors_ = {};
  unsigned char* file_ = nullptr;
  unsigned long file_bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::string> WriteJpeg(const std::uint8_t* rgb, ImageSize size, int quality) {
  JpegWriter writer;
  if (writer.Write(rgb, size, quality)) return writer.file();
  return absl::InternalError(absl::StrCat("JPEG of ", size.width, "x", size.height,
                                          ": cannot be written (", writer.message(), ")"));
}

}  // namespace cleave
