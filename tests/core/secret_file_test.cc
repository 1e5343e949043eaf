#include "core/secret_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

TEST(SecretFile, OthersMayNotReadItNorAGroupWriteIt) {
  const TempDir folder;
  const std::string path = folder.Write("token", "secret\n");
  for (const auto& [mode, secret] : {std::pair(0600U, true),
                                     {0400U, true},
                                     {0640U, true},
                                     {0440U, true},
                                     {0644U, false},
                                     {0604U, false},
                                     {0660U, false},
                                     {0602U, false}}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const absl::StatusOr<std::string> text = ReadSecretFile(path);
    EXPECT_EQ(text.ok(), secret) << std::oct << mode;
    if (secret) {
      EXPECT_EQ(*text, "secret\n");
    } else {
      EXPECT_EQ(text.status().code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(text.status().message(), HasSubstr("expected 0640 or less"));
    }
  }
  EXPECT_EQ(ReadSecretFile(folder.path() + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST(FileWatch, NoticesEveryKindOfChangeOnce) {
  const TempDir folder;
  const std::string path = folder.path() + "/file";
  FileWatch watch(path);
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
  folder.Write("file", "one");
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
  // Of the same size, as a renewed token is.
  folder.Write("other", "two");
  std::filesystem::rename(folder.path() + "/other", path);
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
  std::filesystem::remove(path);
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
}

TEST(EqualInConstantTime, ComparesContentsAndLengths) {
  EXPECT_TRUE(EqualInConstantTime("abc", "abc"));
  EXPECT_FALSE(EqualInConstantTime("abc", "abd"));
  EXPECT_FALSE(EqualInConstantTime("abc", "ab"));
  EXPECT_TRUE(EqualInConstantTime("", ""));
}

}  // namespace
}  // namespace cleave
