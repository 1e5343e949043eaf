#include "codec/image_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "codec/image.h"
#include "core/file.h"
#include "core/sha256.h"
#include "support/picture_files.h"

namespace cleave {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using testing::JpegKind;

std::string Stored(const std::string& name) {
  return ReadFile(std::string(CLEAVE_SOURCE_DIR) + "/tests/codec/pictures/" + name).value();
}

absl::StatusOr<RgbImage> Decode(absl::string_view file) {
  absl::StatusOr<std::unique_ptr<ImageReader>> reader = ImageReader::Open(file, "cat");
  if (!reader.ok()) return reader.status();
  return (*reader)->ReadUpright();
}

std::string ErrorOf(absl::string_view file) {
  const absl::Status status = Decode(file).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("cat: found "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(", expected "));
  return std::string(status.message());
}

std::string DigestOf(const std::vector<std::uint8_t>& bytes) {
  Sha256 sha;
  sha.Update({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return sha.HexDigest();
}

// A smooth picture with an edge.
std::vector<std::uint8_t> Waves(int width, int height, int channels = 3) {
  std::vector<std::uint8_t> values;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < channels; ++channel) {
        values.push_back(static_cast<std::uint8_t>((x * (3 + channel) + y * (5 - channel)) % 200 +
                                                   (x > width / 2 ? 50 : 0)));
      }
    }
  }
  return values;
}

struct StoredPicture {
  std::string name;
  ImageSize size;
  std::string digest;            // SHA-256 of the upright pixels,
  std::string stretched_digest;  // and of those of 40x24.
};

class StoredPictureTest : public ::testing::TestWithParam<StoredPicture> {};

// The digests are those of Pillow 9.4's pixels (of interlaced16.png: of the picture that it was
// made of). That this test runs on x86-64 and under QEMU on arm64 shows that both have these bits.
TEST_P(StoredPictureTest, HasPillowsBitsOnEveryMachine) {
  const std::string file = Stored(GetParam().name);
  const RgbImage image = Decode(file).value();
  EXPECT_EQ(image.size, GetParam().size);
  EXPECT_EQ(DigestOf(image.rgb), GetParam().digest);
  Preprocessing how;
  how.fit = Preprocessing::Fit::kStretch;
  how.width = 40;
  how.height = 24;
  EXPECT_EQ(DigestOf(ImageToPixels(file, how, "p").value()), GetParam().stretched_digest);
}

INSTANTIATE_TEST_SUITE_P(
    Files, StoredPictureTest,
    ::testing::Values(
        StoredPicture{"interlaced16.png",
                      {53, 37},
                      "4bf1b860f8efb712423d98f58434d57d69bf1bf46637e13154a6d9922562da30",
                      "f38a673eb0c77da62ae2b339241fdc78b19b81ed0510b89bcb6b63c5d85b6a72"},
        StoredPicture{"palette.png",
                      {53, 37},
                      "4a99adb7c665d5699a735ff3f3876d778aec414c6868873c6664996e8a200b8f",
                      "bf8017b72a47c8cb1ab14396824ecf35ceda2d324e2d97fd2231f01328b256bf"},
        StoredPicture{"bilevel.png",
                      {53, 37},
                      "6c5e1307c14051321a7b54d36f444353fd4330b7ef7e4c5235f147e2b1e3d8bf",
                      "64cad5dfda54bf8a5ab58b5c41197f8f7793e8af4e5527c536104702a551182d"},
        StoredPicture{"gray_alpha.png",
                      {53, 37},
                      "8c1e47357698c1b377f15c001dda2ac502595453ba1401663f0689baf9a3df75",
                      "9035d8243eb5b73fd23c162aeb35c3cbe7e5afa1de099a4d468d6460ee764d28"},
        StoredPicture{"turned.png",
                      {37, 53},
                      "67a3911bc52b8e9658470b1642e80053936339a1d0f2440b8f841285e9cd1f76",
                      "6627539f7556b925d045fe4feebc227bbd564c407d7d6cd996e6dcfdb033fc46"},
        StoredPicture{"turned.jpg",
                      {37, 53},
                      "61251f48b3d02b4964824c403e14dca104716b7ad21efff7f34f5bb62e887c59",
                      "e63a5fbed39ddf8f79e03e9169534a0005e3db1a44cc8e71fcf2a9fac278c59b"},
        StoredPicture{"turned.webp",
                      {37, 53},
                      "499a01ff29f5917380cd0fb3f5bba2981235fc8e5a1fa6fbcd985e2602d1a967",
                      "db1fc4f17e67453aab0c99c53aae99da00f2dd28a35d002f76533974701cba40"},
        StoredPicture{"lossless.webp",
                      {53, 37},
                      "4bf1b860f8efb712423d98f58434d57d69bf1bf46637e13154a6d9922562da30",
                      "f38a673eb0c77da62ae2b339241fdc78b19b81ed0510b89bcb6b63c5d85b6a72"},
        StoredPicture{"progressive.jpg",
                      {53, 37},
                      "647107e0a50a770472dd1c5b0f61da8fc5d1726777e87c77e594bec6331f7988",
                      "f6131a3203e0161b4e58681cbc1142e89eb7c8813355cdf617c25250677439fc"},
        StoredPicture{"cmyk.jpg",
                      {53, 37},
                      "5df1fe30edc09cb94d03dd1a3041e488b76bef355ab12da347a1c76e0548d616",
                      "ff90908b1a22ce847d5c1c83c0bb7e74feb1af559666268b8e847f82d9e03602"}),
    [](const auto& tested) {
      std::string name = tested.param.name;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

struct JpegDigest {
  std::string name;
  JpegKind kind;
  std::string digest;
};

class JpegKindTest : public ::testing::TestWithParam<JpegDigest> {};

// A change of these bits is a new kPixelRevision.
TEST_P(JpegKindTest, HasTheSameBitsOnEveryMachine) {
  const int channels = GetParam().kind.colours == JCS_GRAYSCALE ? 1 : 3;
  const std::vector<std::uint8_t> values = Waves(75, 50, channels);
  const RgbImage image = Decode(testing::JpegFile(75, 50, values, GetParam().kind)).value();
  double difference = 0;
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    difference += std::abs(int{image.rgb[i]} - int{values[channels == 1 ? i / 3 : i]});
  }
  EXPECT_LT(difference / static_cast<double>(image.rgb.size()), 8);
  EXPECT_EQ(DigestOf(image.rgb), GetParam().digest);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, JpegKindTest,
    ::testing::Values(
        JpegDigest{"Full", {}, "3db472a9d979c8092d42d6350194b006f99860c017a9808d363c1998a1fef05a"},
        JpegDigest{"HalfAcross",
                   {.horizontal_sampling = 2},
                   "603536ee54545fc55ed94f5c5cc5b480eec2284d89de07ae311130a21cee0aab"},
        JpegDigest{"HalfDown",
                   {.vertical_sampling = 2},
                   "e168dd514527dbe89fff182370b3b715d24c7ac0e90381f777b0d4e5836bf44e"},
        JpegDigest{"HalfBoth",
                   {.horizontal_sampling = 2, .vertical_sampling = 2},
                   "cef46fc832ef60da0ea057d9bb7ab3ff314ee178b86df39abc32b92711ceac6b"},
        JpegDigest{"QuarterAcross",
                   {.horizontal_sampling = 4},
                   "f5146b376126329bc1447cf335565479db0277f9dad6805539d3f2fee6864fbe"},
        JpegDigest{"Progressive",
                   {.progressive = true, .horizontal_sampling = 2},
                   "603536ee54545fc55ed94f5c5cc5b480eec2284d89de07ae311130a21cee0aab"},
        JpegDigest{"Gray",
                   {.colours = JCS_GRAYSCALE},
                   "1d13ea429d660f72bce5dd8ef8ccc3b981bf2cb483f2aa5f55b6b0bb596f1fef"}),
    [](const auto& tested) { return tested.param.name; });

TEST(ImageReaderTest, MakesCmykTheColoursThatItMeans) {
  // Inverted: ink of 0 is stored as 255.
  const std::vector<std::uint8_t> inks = {255, 255, 255, 255, 0,   255, 255, 255,
                                          255, 0,   255, 128, 255, 255, 255, 0};
  const std::vector<std::vector<int>> colours = {
      {255, 255, 255}, {0, 255, 255}, {128, 0, 128}, {0, 0, 0}};
  for (std::size_t i = 0; i < colours.size(); ++i) {
    std::vector<std::uint8_t> block;
    for (int pixel = 0; pixel < 64; ++pixel) {
      block.insert(block.end(), inks.begin() + 4 * i, inks.begin() + 4 * i + 4);
    }
    const RgbImage image =
        Decode(testing::JpegFile(8, 8, block, {.quality = 100, .colours = JCS_CMYK})).value();
    for (int channel = 0; channel < 3; ++channel) {
      EXPECT_NEAR(image.rgb[channel], colours[i][channel], 2) << i;
    }
  }
}

TEST(ImageReaderTest, TakesEveryKindOfPng) {
  const std::vector<std::uint8_t> gray = Waves(9, 7, 1);
  const RgbImage from_gray = Decode(testing::PngFile(9, 7, PNG_FORMAT_GRAY, gray.data())).value();
  const std::vector<std::uint8_t> rgba = Waves(9, 7, 4);
  const RgbImage from_rgba = Decode(testing::PngFile(9, 7, PNG_FORMAT_RGBA, rgba.data())).value();
  for (std::size_t pixel = 0; pixel < 63; ++pixel) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      ASSERT_EQ(from_gray.rgb[3 * pixel + channel], gray[pixel]);
      ASSERT_EQ(from_rgba.rgb[3 * pixel + channel], rgba[4 * pixel + channel]);
    }
  }
}

TEST(ImageReaderTest, TakesWebp) {
  const std::vector<std::uint8_t> rgb = Waves(30, 20);
  EXPECT_THAT(Decode(testing::WebpFile(30, 20, rgb)).value().rgb, ElementsAreArray(rgb));
  EXPECT_TRUE(Decode(testing::WebpFile(2048, 2048, std::vector<std::uint8_t>(3 << 22))).ok());
  EXPECT_THAT(ErrorOf(Stored("animated.webp")), HasSubstr("an animated WebP image"));
}

TEST(ImageReaderTest, TurnsThePictureUpright) {
  // Two rows of three pixels, each with another red.
  const std::vector<std::vector<int>> upright = {
      {0, 40, 80, 120, 160, 200}, {80, 40, 0, 200, 160, 120}, {200, 160, 120, 80, 40, 0},
      {120, 160, 200, 0, 40, 80}, {0, 120, 40, 160, 80, 200}, {120, 0, 160, 40, 200, 80},
      {200, 80, 160, 40, 120, 0}, {80, 200, 40, 160, 0, 120}};
  constexpr int kBlock = 8;
  std::vector<std::uint8_t> rgb;
  for (int y = 0; y < 2 * kBlock; ++y) {
    for (int x = 0; x < 3 * kBlock; ++x) {
      rgb.insert(rgb.end(), 3, static_cast<std::uint8_t>(40 * (y / kBlock * 3 + x / kBlock)));
    }
  }
  for (const bool big_endian : {false, true}) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      const RgbImage image =
          Decode(testing::JpegFile(24, 16, rgb, {.exif = testing::ExifOf(orientation, big_endian)}))
              .value();
      EXPECT_EQ(image.size, (orientation < 5 ? ImageSize{24, 16} : ImageSize{16, 24}));
      std::vector<int> reds;
      for (int y = kBlock / 2; y < image.size.height; y += kBlock) {
        for (int x = kBlock / 2; x < image.size.width; x += kBlock) {
          reds.push_back((image.row(y)[3 * x] + 20) / 40 * 40);
        }
      }
      EXPECT_EQ(reds, upright[orientation - 1]) << orientation;
    }
  }
}

TEST(ImageReaderTest, TakesAPictureWithBrokenExifAsItIs) {
  const std::vector<std::uint8_t> rgb = Waves(24, 16);
  const std::string good = testing::ExifOf(6);
  std::vector<std::string> broken = {good.substr(0, 6),
                                     good.substr(0, 13),
                                     good.substr(0, 20),
                                     testing::ExifOf(0),
                                     testing::ExifOf(9),
                                     good,
                                     good,
                                     good};
  broken[5][10] = '\xFF';  // The place of the directory,
  broken[5][13] = '\xFF';
  broken[6][8] = '\x2B';   // the number of TIFF,
  broken[7][18] = '\x04';  // and the type of the tag.
  for (const std::string& exif : broken) {
    const RgbImage image = Decode(testing::JpegFile(24, 16, rgb, {.exif = exif})).value();
    EXPECT_EQ(image.size, (ImageSize{24, 16}));
  }
  EXPECT_EQ(ReadOrientation(""), Orientation::kUpright);
  EXPECT_EQ(ReadOrientation("no EXIF data"), Orientation::kUpright);
}

TEST(ImageReaderTest, NamesTheKindsThatItDoesNotRead) {
  const auto kind = [](const std::string& bytes) { return ErrorOf(bytes + std::string(40, '\0')); };
  EXPECT_THAT(kind("GIF89a"), HasSubstr("but GIF, expected"));
  EXPECT_THAT(kind("BM"), HasSubstr("but BMP"));
  EXPECT_THAT(kind(std::string("\0\0\0\x20", 4) + "ftypavif"), HasSubstr("but AVIF"));
  EXPECT_THAT(kind(std::string("\0\0\0\x20", 4) + "ftypheic"), HasSubstr("but HEIC"));
  EXPECT_THAT(kind(std::string("\0\0\0\x20", 4) + "ftypmif1"), HasSubstr("but HEIC"));
  EXPECT_THAT(kind(std::string("II*\0", 4)), HasSubstr("but TIFF"));
  EXPECT_THAT(kind("\xFF\x0A"), HasSubstr("but JPEG XL"));
  EXPECT_THAT(kind("text"), HasSubstr("found neither JPEG, PNG nor WebP, expected one of these"));
}

TEST(ImageReaderTest, RefusesFilesThatBreakOff) {
  for (const char* name : {"interlaced16.png", "palette.png", "turned.webp", "lossless.webp",
                           "progressive.jpg", "cmyk.jpg", "turned.jpg"}) {
    const std::string whole = Stored(name);
    for (std::size_t size = 0; size < whole.size() - 2; size += 1 + size / 40) {
      ASSERT_FALSE(Decode(absl::string_view(whole).substr(0, size)).ok()) << name << " " << size;
    }
    EXPECT_THAT(ErrorOf(absl::string_view(whole).substr(0, whole.size() * 3 / 4)),
                HasSubstr("breaks off before its end"))
        << name;
  }
}

TEST(ImageReaderTest, RefusesDataThatIsCorrupt) {
  const std::string jpeg = testing::JpegFile(64, 64, Waves(64, 64));
  std::string marker = jpeg;
  marker.replace(marker.size() - 200, 2, "\xFF\xD9");
  EXPECT_THAT(ErrorOf(marker), HasSubstr("Corrupt JPEG data: premature end of data segment"));
  std::string restart = jpeg;
  restart.replace(restart.size() - 200, 2, "\xFF\xD3");
  EXPECT_THAT(ErrorOf(restart), HasSubstr("a broken JPEG image"));

  std::string png = Stored("palette.png");
  png[png.size() / 2] = static_cast<char>(~png[png.size() / 2]);
  EXPECT_THAT(ErrorOf(png), HasSubstr("a broken PNG image"));
}

// Some cameras write such bytes; no pixel is lost.
TEST(ImageReaderTest, TakesBytesBetweenTheScanAndTheEnd) {
  std::string jpeg = testing::JpegFile(64, 64, Waves(64, 64));
  const RgbImage expected = Decode(jpeg).value();
  jpeg.insert(jpeg.size() - 2, std::string(5, '\0'));
  EXPECT_EQ(Decode(jpeg).value().rgb, expected.rgb);
  EXPECT_EQ(Decode(jpeg + "and more").value().rgb, expected.rgb);
}

TEST(ImageReaderTest, RefusesTooManyProgressiveScans) {
  std::string jpeg = Stored("progressive.jpg");
  const std::size_t scan = jpeg.rfind("\xFF\xDA");
  const std::string last = jpeg.substr(scan, jpeg.size() - 2 - scan);
  for (int i = 0; i < 300; ++i) jpeg.insert(jpeg.size() - 2, last);
  const absl::Status status = Decode(jpeg).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

TEST(ImageReaderTest, RefusesAHugeImageByItsHeader) {
  std::string jpeg = testing::JpegFile(16, 16, Waves(16, 16));
  const std::size_t frame = jpeg.find("\xFF\xC0");
  jpeg.replace(frame + 5, 4, "\x7F\xFF\x7F\xFF");
  EXPECT_THAT(ErrorOf(jpeg), HasSubstr("found an image of 32767x32767"));

  std::string png = testing::PlainPng(8, 8, 1, 2, 3) + std::string(10'000, ' ');
  png.replace(16, 8, std::string("\x01\0\0\0\0\0\0\x01", 8));
  EXPECT_THAT(ErrorOf(png),
              HasSubstr("found an image of 16777216x1, expected sides of at most 65536"));
  png.replace(16, 8, std::string("\0\0\0\0\0\0\0\x01", 8));
  EXPECT_THAT(ErrorOf(png), HasSubstr("found an image of 0x1"));
  png.replace(16, 8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  EXPECT_THAT(ErrorOf(png), HasSubstr("4294967295x4294967295"));

  // A lossless WebP whose header says 16384x16384: 14 bits of each side less 1.
  std::string webp = testing::WebpFile(8, 8, std::vector<std::uint8_t>(192));
  const std::size_t sides = webp.find("VP8L") + 9;
  webp.replace(sides, 4, "\xFF\xFF\xFF\x0F");
  EXPECT_THAT(ErrorOf(webp), HasSubstr("found an image of 16384x16384"));
}

TEST(ImageReaderTest, KnowsTheEndings) {
  for (const char* path : {"a.jpg", "b.JPEG", "c/d.Png", "e.webp"}) {
    EXPECT_TRUE(HasImageEnding(path)) << path;
  }
  for (const char* path : {"a.gif", "jpg", "b.npy", ""}) EXPECT_FALSE(HasImageEnding(path)) << path;
}

}  // namespace
}  // namespace cleave
