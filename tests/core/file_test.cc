#include "core/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace cleave {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    dir_ = fs::path(testing::TempDir()) / ("cleave_file_test_" + name);
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::string Path(const std::string& name) const { return (dir_ / name).string(); }

  fs::path dir_;
};

TEST_F(FileTest, ReadsWhatItWrote) {
  const std::string bytes("a\0b\r\n\xFF", 6);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), bytes).ok());
  EXPECT_EQ(ReadFile(Path("f")).value(), bytes);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "").ok());
  EXPECT_EQ(ReadFile(Path("f")).value(), "");
}

TEST_F(FileTest, MakesFoldersAndLeavesNothingElse) {
  ASSERT_TRUE(WriteFileAtomically(Path("a/b/c"), "x").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("a/b/c"), "y").ok());
  EXPECT_EQ(ReadFile(Path("a/b/c")).value(), "y");
  const auto files = std::distance(fs::directory_iterator(dir_ / "a/b"), fs::directory_iterator());
  EXPECT_EQ(files, 1);
}

TEST_F(FileTest, ReadingNamesThePath) {
  const absl::Status missing = ReadFile(Path("none")).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("none: no such file"));
  const absl::Status folder = ReadFile(dir_.string()).status();
  EXPECT_EQ(folder.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FileTest, RefusesAFileThatIsTooLarge) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "12345").ok());
  EXPECT_TRUE(ReadFile(Path("f"), 5).ok());
  const absl::Status status = ReadFile(Path("f"), 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("found 5 bytes, expected at most 4"));
}

TEST_F(FileTest, RefusesWhatHasNoSize) {
  if (!fs::exists("/dev/zero")) GTEST_SKIP() << "this system has no /dev/zero";
  EXPECT_EQ(ReadFile("/dev/zero").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FileTest, WritingWhereItCannotIsAnError) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "x").ok());
  const absl::Status below_file = WriteFileAtomically(Path("file/below"), "y");
  EXPECT_FALSE(below_file.ok());
  EXPECT_THAT(std::string(below_file.message()), HasSubstr("file"));
  fs::create_directories(dir_ / "folder/full");
  const absl::Status over_folder = WriteFileAtomically(Path("folder"), "y");
  EXPECT_FALSE(over_folder.ok());
  EXPECT_EQ(ReadFile(Path("file")).value(), "x");
  for (const auto& entry : fs::directory_iterator(dir_)) {
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  }
}

TEST_F(FileTest, ThreadsThatWriteOnePathLeaveOneWholeFile) {
  std::vector<std::thread> threads;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    threads.emplace_back([this, letter] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(WriteFileAtomically(Path("f"), std::string(10'000, letter)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string bytes = ReadFile(Path("f")).value();
  EXPECT_EQ(bytes, std::string(10'000, bytes[0]));
}

class CacheDirTest : public testing::Test {
 protected:
  static void Set(const char* name, const char* value) {
    value != nullptr ? setenv(name, value, 1) : unsetenv(name);
  }
};

TEST_F(CacheDirTest, PrefersTheMostSpecialVariable) {
  Set("CLEAVE_CACHE_DIR", "/a");
  Set("XDG_CACHE_HOME", "/b");
  Set("HOME", "/c");
  EXPECT_EQ(CacheDir(), "/a");
  Set("CLEAVE_CACHE_DIR", "");
  EXPECT_EQ(CacheDir(), "/b/cleave");
  Set("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(CacheDir(), "/c/.cache/cleave");
  Set("HOME", nullptr);
  EXPECT_THAT(CacheDir(), HasSubstr("cleave-cache-"));
}

}  // namespace
}  // namespace cleave
