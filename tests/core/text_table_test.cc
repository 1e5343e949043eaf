#include "core/text_table.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

TextTable Small() {
  TextTable table({{"name", TextTable::Align::kLeft}, {"ms"}, {"", TextTable::Align::kLeft}});
  table.Add({"a", "12.5", "x"});
  table.Add({"larger", "1"});
  return table;
}

TEST(TextTableTest, ATerminalGetsColumnsAsWideAsTheirCells) {
  EXPECT_EQ(Small().Text(),
            "name      ms\n"
            "a       12.5  x\n"
            "larger     1\n");
}

TEST(TextTableTest, NotesStandBelowTheirRow) {
  TextTable table = Small();
  table.AddNote("why");
  EXPECT_EQ(table.Text(),
            "name      ms\n"
            "a       12.5  x\n"
            "larger     1\n"
            "    why\n");
}

TEST(TextTableTest, CharactersAreCountedAndNotBytes) {
  TextTable table({{"n", TextTable::Align::kLeft}, {"b"}});
  table.Add({"\u00e9\u00e9", "1"});
  EXPECT_EQ(table.Text(), "n   b\n\u00e9\u00e9  1\n");
}

TEST(TextTableTest, MarkdownSaysHowItsColumnsAreAligned) {
  EXPECT_EQ(Small().Markdown(),
            "| name | ms |  |\n"
            "|---|---:|---|\n"
            "| a | 12.5 | x |\n"
            "| larger | 1 |  |\n");
}

}  // namespace
}  // namespace cleave
