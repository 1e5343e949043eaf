#include "lab/toml_section.h"

#include <cmath>
#include <optional>
#include <sstream>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
// toml++ 3.3 asserts, and lets the compiler assume, that a table's name begins as one may; what is
// wrong with another is checked and reported right behind it.
#include <toml++/impl/preprocessor.h>
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(expr) static_assert(true)
#include <toml++/toml.h>

namespace cleave {
namespace {

constexpr std::size_t kMostBytes = 4 << 20;
constexpr std::size_t kShownBytes = 60;

// What a value is, for people: short, and without control characters.
std::string Shown(absl::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kShownBytes)) {
    shown.push_back(static_cast<unsigned char>(c) < ' ' ? '?' : c);
  }
  return text.size() > kShownBytes ? absl::StrCat(shown, "...") : shown;
}

std::string Shown(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return Shown(out.str());
}

// Whole numbers are numbers, too.
std::optional<double> NumberOf(const toml::node& node) {
  if (!node.is_number()) return std::nullopt;
  return node.value<double>();
}

bool Within(double value, const TomlSection::Bounds& bounds) {
  return value >= bounds.least && value <= bounds.most;
}

std::string Expected(const TomlSection::Bounds& bounds) {
  return absl::StrCat("a number from ", bounds.least, " to ", bounds.most);
}

}  // namespace

struct TomlDocument::Impl {
  std::string origin;
  toml::table table;
  absl::Status status;
};

struct TomlSection::Impl {
  TomlDocument::Impl* document = nullptr;
  const toml::table* table = nullptr;
  std::string prefix;
  std::set<std::string, std::less<>> asked;

  std::string NameOf(absl::string_view key) const { return absl::StrCat(prefix, key); }

  // Nothing where the key is missing, or after a fault.
  const toml::node* Find(absl::string_view key) {
    asked.emplace(key);
    if (!document->status.ok() || table == nullptr) return nullptr;
    return table->get(std::string_view(key.data(), key.size()));
  }
};

TomlSection::TomlSection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TomlSection::~TomlSection() = default;
TomlSection::TomlSection(TomlSection&&) noexcept = default;

void TomlSection::Fail(absl::string_view key, absl::string_view found, absl::string_view expected) {
  if (!impl_->document->status.ok()) return;
  impl_->document->status =
      absl::InvalidArgumentError(absl::StrCat(impl_->document->origin, ": ", impl_->NameOf(key),
                                              ": found ", found, ", expected ", expected));
}

bool TomlSection::Has(absl::string_view key) const {
  return impl_->table != nullptr &&
         impl_->table->contains(std::string_view(key.data(), key.size()));
}

TomlSection TomlSection::Section(absl::string_view key) {
  const toml::node* node = impl_->Find(key);
  auto section = std::make_unique<Impl>();
  section->document = impl_->document;
  section->prefix = absl::StrCat(impl_->NameOf(key), ".");
  if (node != nullptr) section->table = node->as_table();
  if (node != nullptr && section->table == nullptr) Fail(key, Shown(*node), "a table");
  return TomlSection(std::move(section));
}

void TomlSection::Bool(absl::string_view key, bool& to) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  if (!node->is_boolean()) return Fail(key, Shown(*node), "true or false");
  to = node->as_boolean()->get();
}

void TomlSection::Text(absl::string_view key, std::string& to) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  if (!node->is_string()) return Fail(key, Shown(*node), "a text");
  to = node->as_string()->get();
}

void TomlSection::Texts(absl::string_view key, std::vector<std::string>& to) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  std::vector<std::string> texts;
  if (node->is_string()) texts.push_back(node->as_string()->get());
  if (const toml::array* list = node->as_array()) {
    for (const toml::node& item : *list) {
      if (!item.is_string()) return Fail(key, Shown(item), "a text");
      texts.push_back(item.as_string()->get());
    }
  }
  if (texts.empty()) return Fail(key, Shown(*node), "a text or a list of texts");
  to = std::move(texts);
}

void TomlSection::Choice(absl::string_view key, const std::vector<absl::string_view>& names,
                         int& to) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  for (std::size_t i = 0; node->is_string() && i < names.size(); ++i) {
    if (names[i] != node->as_string()->get()) continue;
    to = static_cast<int>(i);
    return;
  }
  Fail(key, Shown(*node), absl::StrCat("one of ", absl::StrJoin(names, ", ")));
}

void TomlSection::Number(absl::string_view key, const Bounds& bounds, double& to) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  const std::optional<double> value = NumberOf(*node);
  if (!value || !Within(*value, bounds)) return Fail(key, Shown(*node), Expected(bounds));
  to = *value * bounds.scale;
}

void TomlSection::Whole(absl::string_view key, std::int64_t least, std::int64_t most,
                        std::int64_t& to) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  const toml::value<std::int64_t>* value = node->as_integer();
  if (value == nullptr || value->get() < least || value->get() > most) {
    return Fail(key, Shown(*node), absl::StrCat("a whole number from ", least, " to ", most));
  }
  to = value->get();
}

void TomlSection::Range(absl::string_view key, const Bounds& bounds, double& low, double& high) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  const bool two = list != nullptr && list->size() == 2;
  if (list != nullptr && !two) return Fail(key, Shown(*node), "a number, or a list of two");
  const std::optional<double> first = NumberOf(two ? *list->get(0) : *node);
  const std::optional<double> second = two ? NumberOf(*list->get(1)) : first;
  if (!first || !second || !Within(*first, bounds) || !Within(*second, bounds) ||
      *first > *second) {
    return Fail(key, Shown(*node),
                absl::StrCat(Expected(bounds), ", or a list of two, the larger one last"));
  }
  low = *first * bounds.scale;
  high = *second * bounds.scale;
}

void TomlSection::Pairs(absl::string_view key, const Bounds& first, const Bounds& second,
                        std::vector<std::pair<double, double>>& to) {
  const toml::node* node = impl_->Find(key);
  if (node == nullptr) return;
  const std::string expected =
      absl::StrCat("a list of pairs: ", Expected(first), ", ", Expected(second));
  const toml::array* list = node->as_array();
  if (list == nullptr || list->empty()) return Fail(key, Shown(*node), expected);
  std::vector<std::pair<double, double>> pairs;
  for (const toml::node& item : *list) {
    const toml::array* pair = item.as_array();
    if (pair == nullptr || pair->size() != 2) return Fail(key, Shown(item), expected);
    const std::optional<double> a = NumberOf(*pair->get(0));
    const std::optional<double> b = NumberOf(*pair->get(1));
    if (!a || !b || !Within(*a, first) || !Within(*b, second)) {
      return Fail(key, Shown(item), expected);
    }
    pairs.emplace_back(*a * first.scale, *b * second.scale);
  }
  to = std::move(pairs);
}

void TomlSection::Finish() {
  if (impl_->table == nullptr) return;
  for (const auto& [key, value] : *impl_->table) {
    if (impl_->asked.contains(key.str())) continue;
    return Fail(Shown(absl::string_view(key.str().data(), key.str().size())),
                "a key that is not known here",
                absl::StrCat("one of ", absl::StrJoin(impl_->asked, ", ")));
  }
}

TomlDocument::TomlDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TomlDocument::~TomlDocument() = default;
TomlDocument::TomlDocument(TomlDocument&&) noexcept = default;

absl::StatusOr<TomlDocument> TomlDocument::Parse(absl::string_view text,
                                                 const std::string& origin) {
  if (text.size() > kMostBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": found ", text.size(), " bytes, expected at most ", kMostBytes));
  }
  toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()), origin);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return absl::InvalidArgumentError(absl::StrCat(
        origin, ":", error.source().begin.line, ":", error.source().begin.column, ": ",
        Shown(absl::string_view(error.description().data(), error.description().size()))));
  }
  auto impl = std::make_unique<Impl>();
  impl->origin = origin;
  impl->table = std::move(parsed).table();
  return TomlDocument(std::move(impl));
}

TomlSection TomlDocument::Root() {
  auto section = std::make_unique<TomlSection::Impl>();
  section->document = impl_.get();
  section->table = &impl_->table;
  return TomlSection(std::move(section));
}

const absl::Status& TomlDocument::status() const { return impl_->status; }

}  // namespace cleave
