#include "core/text_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace cleave {
namespace {

// The characters of UTF-8 text.
std::size_t WidthOf(absl::string_view text) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues));
}

std::string Padded(absl::string_view text, std::size_t width, TextTable::Align align) {
  const std::string blanks(width - std::min(width, WidthOf(text)), ' ');
  return align == TextTable::Align::kLeft ? absl::StrCat(text, blanks) : absl::StrCat(blanks, text);
}

}  // namespace

void TextTable::Add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), {}});
}

void TextTable::AddNote(std::string note) { rows_.back().notes.push_back(std::move(note)); }

std::string TextTable::Text() const {
  std::vector<std::string> headings;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    headings.push_back(columns_[i].heading);
    widths.push_back(WidthOf(columns_[i].heading));
    for (const Row& row : rows_) widths[i] = std::max(widths[i], WidthOf(row.cells[i]));
  }
  std::string text;
  const auto append = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      absl::StrAppend(&line, i == 0 ? "" : "  ", Padded(cells[i], widths[i], columns_[i].align));
    }
    absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
  };
  append(headings);
  for (const Row& row : rows_) {
    append(row.cells);
    for (const std::string& note : row.notes) absl::StrAppend(&text, "    ", note, "\n");
  }
  return text;
}

std::string TextTable::Markdown() const {
  std::string text = "|";
  for (const Column& column : columns_) absl::StrAppend(&text, " ", column.heading, " |");
  absl::StrAppend(&text, "\n|");
  for (const Column& column : columns_) {
    absl::StrAppend(&text, column.align == Align::kLeft ? "---|" : "---:|");
  }
  for (const Row& row : rows_) {
    absl::StrAppend(&text, "\n|");
    for (const std::string& cell : row.cells) absl::StrAppend(&text, " ", cell, " |");
  }
  return text + "\n";
}

}  // namespace cleave
