#include "core/private_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class PrivateFolderTest : public ::testing::Test {
 protected:
  std::string Folder(mode_t mode) const {
    std::string path = top_ + "/folder";
    mkdir(path.c_str(), 0700);
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  const testing::TempDir temp_;
  const std::string top_ = temp_.path();
};

TEST_F(PrivateFolderTest, IsMadeForItsOwnerAlone) {
  const std::string path = top_ + "/a/b";
  EXPECT_TRUE(CheckPrivateFolder(path).ok());
  ASSERT_TRUE(MakePrivateFolder(path).ok());
  struct stat made {};
  ASSERT_EQ(stat(path.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777U, 0700U);
  EXPECT_TRUE(MakePrivateFolder(path).ok()) << "made already";
}

TEST_F(PrivateFolderTest, OthersMayReadButNotWrite) {
  EXPECT_TRUE(MakePrivateFolder(Folder(0755)).ok());
  for (const mode_t mode : {0775, 0757, 0777}) {
    const absl::Status refused = MakePrivateFolder(Folder(mode));
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << mode;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(top_ + "/folder"));
  }
}

TEST_F(PrivateFolderTest, AnotherUsersIsRefusedByNameAndByLink) {
  const std::string path = Folder(0700);
  const uid_t other = geteuid() + 1;
  const absl::Status refused = CheckPrivateFolder(path, other);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("found a folder of user " + std::to_string(geteuid()) +
                        ", expected one of user " + std::to_string(other)));
  fs::create_directory_symlink(path, top_ + "/link");
  EXPECT_TRUE(CheckPrivateFolder(top_ + "/link").ok());
  EXPECT_FALSE(CheckPrivateFolder(top_ + "/link", other).ok());
  fs::create_directory_symlink(Folder(0777), top_ + "/open");
  EXPECT_FALSE(CheckPrivateFolder(top_ + "/open").ok());
}

TEST_F(PrivateFolderTest, AFileIsNoFolder) {
  std::ofstream(top_ + "/file") << "x";
  EXPECT_EQ(CheckPrivateFolder(top_ + "/file").code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace cleave
