#ifndef CLEAVE_TESTS_SUPPORT_VIDEO_FILE_H_
#define CLEAVE_TESTS_SUPPORT_VIDEO_FILE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace cleave::testing {

// Whether the program is there that WriteVideo needs, which is other people's.
inline bool CanWriteVideos() { return std::system("command -v ffmpeg >/dev/null") == 0; }

// Writes a video of 10 frames in one second, of 16 x 16 pixels that are the brighter the later.
// `how` names the encoder, as ffmpeg has it. Returns the path.
inline std::string WriteVideo(const std::string& path, const std::string& how) {
  const std::string command = absl::StrCat(
      "ffmpeg -loglevel error -y -f lavfi -i "
      "\"color=black:s=16x16:r=10:d=1,geq=lum='16+20*N':cb=128:cr=128\" ",
      how, " ", path);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return path;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_VIDEO_FILE_H_
