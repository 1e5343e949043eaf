#include "core/json_section.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownBytes = 60;

// What a value is, for people: short, and valid UTF-8.
std::string Shown(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, kShownBytes);
}

std::string CountText(std::size_t least, std::size_t most) {
  return least == most ? absl::StrCat(least) : absl::StrCat(least, " to ", most);
}

template <typename T>
bool Fits(const Json& value) {
  return value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                    : std::in_range<T>(value.get<std::int64_t>());
}

}  // namespace

struct JsonDocument::Impl {
  std::string origin;
  Names names = Names::kPath;
  Json root;
  absl::Status status;
};

struct JsonSection::Impl {
  JsonDocument::Impl* document = nullptr;
  const Json* object = nullptr;  // Null after a fault.
  std::string path;              // Empty for the root.
  std::set<std::string, std::less<>> asked;

  std::string NameOf(absl::string_view key) const {
    using Names = JsonDocument::Names;
    const absl::string_view joint = path.empty()                      ? ""
                                    : document->names == Names::kPath ? "."
                                                                      : ": ";
    return document->names == Names::kQuoted ? absl::StrCat(path, joint, "field '", key, "'")
                                             : absl::StrCat(path, joint, key);
  }

  void Fail(const std::string& name, absl::string_view found, absl::string_view expected) const {
    if (!document->status.ok()) return;
    document->status = FieldError(absl::StrCat(document->origin, ": ", name), found, expected);
  }

  // Null after a fault; a missing field is one.
  const Json* Find(absl::string_view key, absl::string_view expected) {
    asked.emplace(key);
    if (!document->status.ok() || object == nullptr) return nullptr;
    const auto found = object->find(std::string(key));
    if (found != object->end()) return &*found;
    Fail(NameOf(key), "nothing", absl::StrCat(expected, " (field '", key, "' is missing)"));
    return nullptr;
  }

  std::unique_ptr<Impl> Inner(const Json& value, std::string name,
                              absl::string_view expected) const {
    auto section = std::make_unique<Impl>();
    section->document = document;
    section->path = std::move(name);
    if (value.is_object()) {
      section->object = &value;
    } else {
      Fail(section->path, value.type_name(), expected);
    }
    return section;
  }

  // The list at `key`; null after a fault.
  const Json* FindList(absl::string_view key, std::size_t least, std::size_t most,
                       absl::string_view of) {
    const std::string expected = absl::StrCat(CountText(least, most), " ", of);
    const Json* const value = Find(key, expected);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) {
      Fail(NameOf(key), Shown(*value), absl::StrCat("a list of ", expected));
      return nullptr;
    }
    if (value->size() < least || value->size() > most) {
      Fail(NameOf(key), absl::StrCat(value->size(), " entries"), expected);
      return nullptr;
    }
    return value;
  }

  template <typename T>
  void ReadWhole(absl::string_view key, T& to) {
    const Json* const value = Find(key, "a whole number");
    if (value == nullptr) return;
    if (!value->is_number_integer()) return Fail(NameOf(key), Shown(*value), "a whole number");
    if (!Fits<T>(*value)) return Fail(NameOf(key), Shown(*value), "a whole number in range");
    to = value->get<T>();
  }
};

JsonSection::JsonSection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonSection::~JsonSection() = default;
JsonSection::JsonSection(JsonSection&&) noexcept = default;

bool JsonSection::Has(absl::string_view key) const {
  return impl_->object != nullptr && impl_->object->contains(std::string(key));
}

std::vector<std::string> JsonSection::Keys() const {
  std::vector<std::string> keys;
  if (impl_->object == nullptr) return keys;
  for (const auto& [key, value] : impl_->object->items()) keys.push_back(key);
  return keys;
}

JsonSection JsonSection::Section(absl::string_view key) {
  const Json* const value = impl_->Find(key, "an object");
  if (value != nullptr) return JsonSection(impl_->Inner(*value, impl_->NameOf(key), "an object"));
  auto empty = std::make_unique<Impl>();
  empty->document = impl_->document;
  return JsonSection(std::move(empty));
}

std::vector<JsonSection> JsonSection::Sections(absl::string_view key, std::size_t least,
                                               std::size_t most, absl::string_view of) {
  std::vector<JsonSection> sections;
  const Json* const list = impl_->FindList(key, least, most, of);
  if (list == nullptr) return sections;
  sections.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    sections.push_back(
        JsonSection(impl_->Inner((*list)[i], absl::StrCat(impl_->NameOf(key), "[", i, "]"),
                                 absl::StrCat("one of ", CountText(least, most), " ", of))));
  }
  return sections;
}

void JsonSection::Bool(absl::string_view key, bool& to) {
  const Json* const value = impl_->Find(key, "true or false");
  if (value == nullptr) return;
  if (!value->is_boolean()) return Fail(key, Shown(*value), "true or false");
  to = value->get<bool>();
}

void JsonSection::Text(absl::string_view key, std::string& to) {
  const Json* const value = impl_->Find(key, "a text");
  if (value == nullptr) return;
  if (!value->is_string()) return Fail(key, Shown(*value), "a text");
  to = value->get<std::string>();
}

void JsonSection::Number(absl::string_view key, double& to) {
  const Json* const value = impl_->Find(key, "a number");
  if (value == nullptr) return;
  if (!value->is_number()) return Fail(key, Shown(*value), "a number");
  to = value->get<double>();
}

void JsonSection::Whole(absl::string_view key, int& to) { impl_->ReadWhole(key, to); }
void JsonSection::Whole(absl::string_view key, std::int64_t& to) { impl_->ReadWhole(key, to); }
void JsonSection::Whole(absl::string_view key, std::uint64_t& to) { impl_->ReadWhole(key, to); }

void JsonSection::Whole(absl::string_view key, int least, int most, int& to) {
  const std::string expected = absl::StrCat("a whole number from ", least, " to ", most);
  const Json* const value = impl_->Find(key, expected);
  if (value == nullptr) return;
  const bool fits = value->is_number_integer() && Fits<int>(*value) && value->get<int>() >= least &&
                    value->get<int>() <= most;
  if (!fits) return Fail(key, Shown(*value), expected);
  to = value->get<int>();
}

void JsonSection::Numbers(absl::string_view key, std::size_t least, std::size_t most,
                          std::vector<double>& to) {
  const Json* const list = impl_->FindList(key, least, most, "numbers");
  if (list == nullptr) return;
  std::vector<double> numbers;
  numbers.reserve(list->size());
  for (const Json& value : *list) {
    if (!value.is_number()) {
      return Fail(key, Shown(value), absl::StrCat(CountText(least, most), " numbers"));
    }
    numbers.push_back(value.get<double>());
  }
  to = std::move(numbers);
}

void JsonSection::Wholes(absl::string_view key, std::size_t least, std::size_t most,
                         std::vector<int>& to) {
  const Json* const list = impl_->FindList(key, least, most, "whole numbers");
  if (list == nullptr) return;
  std::vector<int> numbers;
  numbers.reserve(list->size());
  for (const Json& value : *list) {
    if (!value.is_number_integer() || !Fits<int>(value)) {
      return Fail(key, Shown(value), absl::StrCat(CountText(least, most), " whole numbers"));
    }
    numbers.push_back(value.get<int>());
  }
  to = std::move(numbers);
}

void JsonSection::Texts(absl::string_view key, std::size_t least, std::size_t most,
                        std::vector<std::string>& to) {
  const Json* const list = impl_->FindList(key, least, most, "texts");
  if (list == nullptr) return;
  std::vector<std::string> texts;
  texts.reserve(list->size());
  for (const Json& value : *list) {
    if (!value.is_string()) {
      return Fail(key, Shown(value), absl::StrCat(CountText(least, most), " texts"));
    }
    texts.push_back(value.get<std::string>());
  }
  to = std::move(texts);
}

void JsonSection::Fail(absl::string_view key, absl::string_view found, absl::string_view expected) {
  impl_->Fail(impl_->NameOf(key), found, expected);
}

void JsonSection::Fail(const absl::Status& fault) {
  absl::Status& kept = impl_->document->status;
  if (!kept.ok()) return;
  const absl::string_view joint = impl_->document->names == JsonDocument::Names::kPath ? "." : ": ";
  kept =
      absl::InvalidArgumentError(absl::StrCat(impl_->document->origin, ": ", impl_->path,
                                              impl_->path.empty() ? "" : joint, fault.message()));
}

void JsonSection::Only(std::initializer_list<absl::string_view> keys) {
  const auto asked = std::exchange(impl_->asked, {keys.begin(), keys.end()});
  Finish();
  impl_->asked = asked;
}

void JsonSection::Finish() {
  if (impl_->object == nullptr) return;
  for (const auto& [key, value] : impl_->object->items()) {
    if (impl_->asked.contains(key)) continue;
    const std::string name = Shown(key);
    return Fail(
        absl::string_view(name).substr(1, name.size() - 2), Shown(value),
        absl::StrCat("none: field '", name.substr(1, name.size() - 2),
                     "' is not one that there is (", absl::StrJoin(impl_->asked, ", "), ")"));
  }
}

JsonDocument::JsonDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonDocument::~JsonDocument() = default;
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;

absl::StatusOr<JsonDocument> JsonDocument::Parse(absl::string_view text, const std::string& origin,
                                                 Names names) {
  Json root = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return FieldError(origin, "no JSON object", "one");
  auto impl = std::make_unique<Impl>();
  impl->origin = origin;
  impl->names = names;
  impl->root = std::move(root);
  return JsonDocument(std::move(impl));
}

JsonSection JsonDocument::Root(absl::string_view name) {
  auto section = std::make_unique<JsonSection::Impl>();
  section->document = impl_.get();
  section->object = &impl_->root;
  section->path = std::string(name);
  return JsonSection(std::move(section));
}

const absl::Status& JsonDocument::status() const { return impl_->status; }

}  // namespace cleave
