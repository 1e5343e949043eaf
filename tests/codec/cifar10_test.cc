#include "codec/cifar10.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/picture_files.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kPlane = 32 * 32;
constexpr std::size_t kImage = 3 * kPlane;

class Cifar10Test : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) const { temp_.Write(name, bytes); }

  // Returns a record: the label, then planes of R, G and B of one value each, whose last pixel is
  // 7, 8, 9.
  static std::string Record(int label, int r, int g, int b) {
    std::string record(1, static_cast<char>(label));
    for (const int value : {r, g, b}) record.append(kPlane, static_cast<char>(value));
    for (const int plane : {1, 2, 3}) record[plane * kPlane] = static_cast<char>(6 + plane);
    return record;
  }

  void WriteBinary() const {
    for (int file = 1; file <= 5; ++file) {
      Write("data_batch_" + std::to_string(file) + ".bin", Record(file, 10, 20, 30));
    }
    Write("test_batch.bin", Record(0, 1, 2, 3) + Record(9, 250, 251, 252));
  }

  static std::string Png(int width, int height, int red) {
    return testing::PlainPng(width, height, red, 50, 50);
  }

  void WriteFolders() const {
    Write("train/cat/a.png", Png(32, 32, 1));
    Write("train/cat/b.PNG", Png(40, 50, 2));
    Write("train/bird/c.png", Png(32, 32, 3));
    Write("train/bird/notes.txt", "not a picture");
    Write("test/cat/d.png", Png(32, 32, 4));
    Write("test/bird/e.png", Png(32, 32, 5));
  }

  absl::StatusOr<ImageSet> Load() const { return LoadImageSet(folder_, Cifar10Preprocessing()); }

  void ExpectRefused(const std::vector<std::string>& parts) const {
    const auto set = Load();
    ASSERT_FALSE(set.ok());
    for (const std::string& part : parts) {
      EXPECT_THAT(std::string(set.status().message()), HasSubstr(part));
    }
  }

  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
};

TEST_F(Cifar10Test, ReadsTheOfficialBinaryForm) {
  WriteBinary();
  const auto set = Load();
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->classes.size(), 10U);
  EXPECT_EQ(set->classes[9], "truck");
  EXPECT_THAT(set->train.labels, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(set->test.labels, ElementsAre(0, 9));
  ASSERT_EQ(set->test.image(1).size(), kImage);
  // Planes become pixels of R, G and B.
  const std::vector<std::uint8_t> start(set->test.image(1).begin(), set->test.image(1).begin() + 4);
  const std::vector<std::uint8_t> end(set->test.image(1).end() - 3, set->test.image(1).end());
  EXPECT_THAT(start, ElementsAre(250, 251, 252, 250));
  EXPECT_THAT(end, ElementsAre(7, 8, 9));
}

TEST_F(Cifar10Test, ReadsFoldersAsTheProductReadsImages) {
  WriteFolders();
  const auto set = Load();
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->classes, ElementsAre("bird", "cat"));
  EXPECT_THAT(set->train.labels, ElementsAre(0, 1, 1));
  EXPECT_THAT(set->test.labels, ElementsAre(0, 1));
  EXPECT_EQ(set->train.image(0)[0], 3);
  EXPECT_EQ(set->train.image(1)[0], 1);
  EXPECT_EQ(set->train.image(2)[0], 2);  // It was resized and cropped.
  // What the sidecar makes of the file is what training saw.
  const auto tensor = ImageToTensor(Png(40, 50, 2), Cifar10Preprocessing(), "b.PNG");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  std::vector<float> trained(kImage);
  NormalizePixels(set->train.image(2), Cifar10Preprocessing(), trained);
  EXPECT_THAT(tensor->floats(), ::testing::ElementsAreArray(trained));
}

TEST_F(Cifar10Test, TheDigestKnowsEveryByte) {
  WriteBinary();
  const std::string digest = Load()->digest;
  EXPECT_EQ(digest, Load()->digest);
  Write("data_batch_3.bin", Record(4, 10, 20, 30));
  EXPECT_NE(digest, Load()->digest);
  Write("data_batch_3.bin", Record(3, 10, 21, 30));
  EXPECT_NE(digest, Load()->digest);
}

TEST_F(Cifar10Test, TellsHowFarItIs) {
  WriteBinary();
  double last = 0;
  ASSERT_TRUE(LoadImageSet(folder_, Cifar10Preprocessing(), [&](double share) {
                EXPECT_GT(share, last);
                last = share;
              }).ok());
  EXPECT_GT(last, 0.5);
  EXPECT_LE(last, 1);
}

TEST_F(Cifar10Test, AFileOfTheWrongSizeIsRefused) {
  WriteBinary();
  Write("data_batch_4.bin", Record(1, 2, 3, 4).substr(1));
  ExpectRefused({"data_batch_4.bin", "size", "found 3072 bytes", "3073"});
  Write("data_batch_4.bin", "");
  ExpectRefused({"data_batch_4.bin", "size", "found 0 bytes"});
}

TEST_F(Cifar10Test, ALabelAbove9IsRefused) {
  WriteBinary();
  Write("test_batch.bin", Record(9, 0, 0, 0) + Record(10, 0, 0, 0));
  ExpectRefused({"test_batch.bin", "record 1", "label: found 10", "expected 0 to 9"});
}

TEST_F(Cifar10Test, AMissingFileIsNamed) {
  WriteBinary();
  fs::remove(folder_ + "/data_batch_5.bin");
  ExpectRefused({"data_batch_5.bin"});
}

TEST_F(Cifar10Test, ClassesThatDifferAreRefused) {
  WriteFolders();
  Write("test/dog/f.png", Png(32, 32, 6));
  ExpectRefused({"/test", "found bird, cat, dog", "bird, cat"});
  fs::remove_all(folder_ + "/test/dog");
  fs::remove_all(folder_ + "/test/bird");
  ExpectRefused({"/test", "found cat"});
}

TEST_F(Cifar10Test, AnUnreadablePictureIsNamed) {
  WriteFolders();
  Write("train/cat/broken.jpg", "no picture");
  ExpectRefused({"train/cat/broken.jpg"});
}

TEST_F(Cifar10Test, AnEmptyClassIsNamed) {
  WriteFolders();
  fs::remove(folder_ + "/test/bird/e.png");
  ExpectRefused({"/test/bird", "no picture"});
}

TEST_F(Cifar10Test, AFolderOfSomethingElseIsRefused) {
  ExpectRefused({folder_, "data_batch_1.bin", "train/CLASS"});
  fs::create_directories(folder_ + "/train/only");
  fs::create_directories(folder_ + "/test/only");
  ExpectRefused({"/train", "found 1 class folders", "2 to 256"});
}

TEST_F(Cifar10Test, TheBinaryFormHasOneSize) {
  WriteBinary();
  Preprocessing how = Cifar10Preprocessing();
  how.resize = 64;
  how.height = 64;
  const auto set = LoadImageSet(folder_, how);
  EXPECT_THAT(std::string(set.status().message()), AllOf(HasSubstr("32x32"), HasSubstr("64x32")));
}

}  // namespace
}  // namespace cleave
