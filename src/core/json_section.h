#ifndef CLEAVE_CORE_JSON_SECTION_H_
#define CLEAVE_CORE_JSON_SECTION_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

class JsonDocument;

// An object of a JSON file whose fields are read one by one, each with its type and range checked
// and into a place of its own, which is left as it was where there is a fault. A field that is
// missing is a fault; `Has` tells whether there is one that may be missing. The first fault is
// kept, and all that follows it does nothing: InvalidArgument with origin, field, what was found
// and what was expected. Thread-compatible. Must not outlive its document.
class JsonSection {
 public:
  ~JsonSection();
  JsonSection(JsonSection&&) noexcept;

  bool Has(absl::string_view key) const;
  // The names of all fields, in the order of the file.
  std::vector<std::string> Keys() const;

  // The object at `key`; an empty one after a fault.
  JsonSection Section(absl::string_view key);
  // The objects of a list of `least` to `most` of them, which an error calls `of`; none after a
  // fault.
  std::vector<JsonSection> Sections(absl::string_view key, std::size_t least, std::size_t most,
                                    absl::string_view of = "objects");

  void Bool(absl::string_view key, bool& to);
  void Text(absl::string_view key, std::string& to);
  void Number(absl::string_view key, double& to);
  // Faults where the type of `to` cannot hold the number.
  void Whole(absl::string_view key, int& to);
  void Whole(absl::string_view key, std::int64_t& to);
  void Whole(absl::string_view key, std::uint64_t& to);
  // A whole number of `least` to `most`.
  void Whole(absl::string_view key, int least, int most, int& to);
  // Lists of `least` to `most` numbers.
  void Numbers(absl::string_view key, std::size_t least, std::size_t most, std::vector<double>& to);
  void Wholes(absl::string_view key, std::size_t least, std::size_t most, std::vector<int>& to);
  // A list of `least` to `most` texts.
  void Texts(absl::string_view key, std::size_t least, std::size_t most,
             std::vector<std::string>& to);

  // Keeps another fault, of this key. The second form takes what a check of its value said, which
  // names the key itself.
  void Fail(absl::string_view key, absl::string_view found, absl::string_view expected);
  void Fail(const absl::Status& fault);
  // Faults where the object has a field besides these: for readers that look for unknown fields
  // before they read any.
  void Only(std::initializer_list<absl::string_view> keys);
  // Faults where the object has a field that nobody asked for.
  void Finish();

 private:
  friend class JsonDocument;
  struct Impl;
  explicit JsonSection(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

// A JSON text that is an object. Thread-compatible.
class JsonDocument {
 public:
  // How an error names the field `runs` of the second object in the list `times`. Each file format
  // keeps the names that its readers know.
  enum class Names {
    kPath,    // times[1].runs
    kColon,   // times[1]: runs
    kQuoted,  // times[1]: field 'runs'
  };

  // InvalidArgument names the origin where the text is no JSON object.
  static absl::StatusOr<JsonDocument> Parse(absl::string_view text, const std::string& origin,
                                            Names names = Names::kPath);
  ~JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;

  // The whole object; an error puts `name` before the name of its fields, where it is not empty.
  JsonSection Root(absl::string_view name = "");
  // The first fault of all that was read so far.
  const absl::Status& status() const;

 private:
  friend class JsonSection;
  struct Impl;
  explicit JsonDocument(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace cleave

#endif  // CLEAVE_CORE_JSON_SECTION_H_
