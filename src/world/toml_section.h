#ifndef CLEAVE_WORLD_TOML_SECTION_H_
#define CLEAVE_WORLD_TOML_SECTION_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::world {

class TomlDocument;

// A table of a TOML file of which every key must be asked for: reads typed, ranged values, each
// into a place that keeps its default where the key is missing. The first fault is kept, and all
// that follows it does nothing: InvalidArgument with origin, key, what was found and what was
// expected. Thread-compatible. Must not outlive its document.
class TomlSection {
 public:
  ~TomlSection();
  TomlSection(TomlSection&&) noexcept;

  bool Has(absl::string_view key) const;
  // Returns the table at `key`; an empty one where it is missing.
  TomlSection Section(absl::string_view key);

  void Bool(absl::string_view key, bool& to);
  void Text(absl::string_view key, std::string& to);
  // Reads a text or a list of texts.
  void Texts(absl::string_view key, std::vector<std::string>& to);
  // Reads the index of the text among `names`.
  void Choice(absl::string_view key, const std::vector<absl::string_view>& names, int& to);
  struct Bounds {
    double least = 0;
    double most = 0;
    double scale = 1;  // What is read times this is kept.
  };
  void Number(absl::string_view key, const Bounds& bounds, double& to);
  void Whole(absl::string_view key, std::int64_t least, std::int64_t most, std::int64_t& to);
  // Reads a number, or a list of two that do not descend.
  void Range(absl::string_view key, const Bounds& bounds, double& low, double& high);
  // Reads a list, not empty, of lists of two numbers.
  void Pairs(absl::string_view key, const Bounds& first, const Bounds& second,
             std::vector<std::pair<double, double>>& to);

  // Keeps another fault, of this key.
  void Fail(absl::string_view key, absl::string_view found, absl::string_view expected);
  // Faults where the table has a key that nobody asked for.
  void Finish();

 private:
  friend class TomlDocument;
  struct Impl;
  explicit TomlSection(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

class TomlDocument {
 public:
  // InvalidArgument names origin, line and column.
  static absl::StatusOr<TomlDocument> Parse(absl::string_view text, const std::string& origin);
  ~TomlDocument();
  TomlDocument(TomlDocument&&) noexcept;

  TomlSection Root();
  const absl::Status& status() const;  // The first fault of all that was read.

 private:
  friend class TomlSection;
  struct Impl;
  explicit TomlDocument(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_TOML_SECTION_H_
