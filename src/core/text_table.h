#ifndef CLEAVE_CORE_TEXT_TABLE_H_
#define CLEAVE_CORE_TEXT_TABLE_H_

#include <string>
#include <utility>
#include <vector>

namespace cleave {

// A table of text, for a terminal or for a Markdown document. Thread-compatible.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kRight;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Appends a row. REQUIRES: at most as many cells as there are columns; those that are left out
  // are empty.
  void Add(std::vector<std::string> cells);
  // Appends a line below the last row, indented; a terminal alone shows it.
  void AddNote(std::string note);

  // Returns the columns as wide as their widest cell, two blanks apart; no line ends in blanks.
  std::string Text() const;
  std::string Markdown() const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::vector<std::string> notes;
  };

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace cleave

#endif  // CLEAVE_CORE_TEXT_TABLE_H_
