#include "core/printable.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

TEST(Printable, LeavesTextsAsTheyAre) {
  for (const char* text : {"", "model 'a': found 3", "Größe 10 µs", "模型", "🙂", "a\\b"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(Printable, EscapesWhatStartsALineOrATerminalsCommand) {
  EXPECT_EQ(Printable("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(Printable("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f");
  EXPECT_EQ(Printable(absl::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "CSI as one character";
}

TEST(Printable, EscapesBytesThatAreNoUtf8) {
  for (const auto& [text, expected] : {std::pair<const char*, const char*>{"\xff", "\\xff"},
                                       {"\x80"
                                        "a",
                                        "\\x80a"},
                                       {"\xc3", "\\xc3"},
                                       {"\xc0\xaf", "\\xc0\\xaf"},
                                       {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
                                       {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
                                       {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
                                       {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"}}) {
    EXPECT_EQ(Printable(text), expected);
  }
}

TEST(Printable, ShortensAndSaysHowLongItWas) {
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdef", 3), "abc... (6 bytes)");
  EXPECT_EQ(Printable("aµ", 2), "a... (3 bytes)") << "no half of a character";
  EXPECT_EQ(Printable("\x1b\x1b\x1b", 2), "\\x1b\\x1b... (3 bytes)");
  const std::string large(20 << 20, '\n');
  EXPECT_LT(Printable(large).size(), 2 * kPrintableBytes + 32);
  EXPECT_LT(Printable(std::string(1 << 20, '\x80')).size(), 4 * kPrintableBytes + 32);
}

TEST(Shortened, OnlyShortens) {
  EXPECT_EQ(Shortened("a\nb"), "a\nb");
  EXPECT_EQ(Shortened("a\nbc", 2), "a\n... (4 bytes)");
}

}  // namespace
}  // namespace cleave
