#include "detect/detection_labels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json_section.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxLabelsBytes = std::int64_t{1} << 30;
constexpr std::int64_t kMaxTextBytes = std::int64_t{1} << 24;
constexpr std::size_t kMostEntries = std::size_t{1} << 24;
constexpr double kLargestCoordinate = 1e6;

struct Category {
  std::int64_t id = 0;
  std::string name;
};

// The class of each category's id.
absl::StatusOr<std::map<std::int64_t, int>> ClassOfCategory(std::vector<Category> categories,
                                                            const ModelClasses& classes,
                                                            const std::string& origin) {
  std::sort(categories.begin(), categories.end(),
            [](const Category& a, const Category& b) { return a.id < b.id; });
  std::map<std::int64_t, int> class_of;
  for (std::size_t i = 0; i < categories.size(); ++i) {
    const Category& category = categories[i];
    int index = static_cast<int>(i);
    if (!classes.names.empty()) {
      const auto named = std::find_if(
          classes.names.begin(), classes.names.end(),
          [&](const std::string& name) { return absl::EqualsIgnoreCase(name, category.name); });
      if (named == classes.names.end()) {
        return FieldError(absl::StrCat(origin, ": category ", category.id),
                          absl::StrCat("the name '", category.name, "'"),
                          "that of one of the model's classes");
      }
      index = static_cast<int>(named - classes.names.begin());
    } else if (classes.count && index >= *classes.count) {
      return FieldError(absl::StrCat(origin, ": categories"),
                        absl::StrCat(categories.size(), " of them"),
                        absl::StrCat(*classes.count, " at most, as the model has classes"));
    }
    if (!class_of.emplace(category.id, index).second) {
      return FieldError(absl::StrCat(origin, ": categories"),
                        absl::StrCat("the id ", category.id, " twice"), "each id once");
    }
  }
  return class_of;
}

}  // namespace

absl::StatusOr<DetectionLabels> DetectionLabels::Open(const std::string& path,
                                                      const ModelClasses& classes) {
  std::error_code unknown;
  if (fs::is_directory(path, unknown)) {
    DetectionLabels labels;
    labels.classes_ = classes;
    labels.folder_ = path;
    return labels;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxLabelsBytes));
  return FromCoco(text, classes, path);
}

absl::StatusOr<DetectionLabels> DetectionLabels::FromCoco(absl::string_view text,
                                                          const ModelClasses& classes,
                                                          const std::string& origin) {
  DetectionLabels labels;
  labels.classes_ = classes;
  CLEAVE_RETURN_IF_ERROR(labels.ReadCoco(text, origin));
  return labels;
}

absl::Status DetectionLabels::ReadCoco(absl::string_view text, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document,
                          JsonDocument::Parse(text, origin, JsonDocument::Names::kPath));
  JsonSection root = document.Root();

  std::vector<Category> categories;
  for (JsonSection& section : root.Sections("categories", 1, kMostEntries, "categories")) {
    Category& category = categories.emplace_back();
    section.Whole("id", category.id);
    section.Text("name", category.name);
  }
  std::map<std::int64_t, std::string> picture_of;
  for (JsonSection& section : root.Sections("images", 1, kMostEntries, "images")) {
    std::int64_t id = 0;
    std::string name;
    section.Whole("id", id);
    section.Text("file_name", name);
    if (!picture_of.emplace(id, name).second) {
      section.Fail("id", absl::StrCat(id, " twice"), "each id once");
    }
    boxes_.try_emplace(std::move(name));
  }
  CLEAVE_RETURN_IF_ERROR(document.status());
  CLEAVE_ASSIGN_OR_RETURN(const auto class_of,
                          ClassOfCategory(std::move(categories), classes_, origin));

  for (JsonSection& section : root.Sections("annotations", 0, kMostEntries, "annotations")) {
    std::int64_t image = 0;
    std::int64_t category = 0;
    int crowd = 0;
    std::vector<double> numbers(4, 0);
    section.Whole("image_id", image);
    section.Whole("category_id", category);
    section.Numbers("bbox", 4, 4, numbers);
    if (section.Has("iscrowd")) section.Whole("iscrowd", 0, 1, crowd);
    const auto picture = picture_of.find(image);
    const auto class_index = class_of.find(category);
    if (picture == picture_of.end()) {
      section.Fail("image_id", absl::StrCat(image), "the id of one of the images");
    }
    if (class_index == class_of.end()) {
      section.Fail("category_id", absl::StrCat(category), "the id of one of the categories");
    }
    const bool sensible =
        std::all_of(numbers.begin(), numbers.end(),
                    [](double each) { return std::abs(each) <= kLargestCoordinate; }) &&
        numbers[2] >= 0 && numbers[3] >= 0;
    if (!sensible) section.Fail("bbox", absl::StrCat(numbers[2], " x ", numbers[3]), "pixels");
    CLEAVE_RETURN_IF_ERROR(document.status());
    const Box box{numbers[0], numbers[1], numbers[0] + numbers[2], numbers[1] + numbers[3]};
    boxes_[picture->second].push_back({box, class_index->second, crowd == 1});
  }
  CLEAVE_RETURN_IF_ERROR(document.status());
  pictures_.emplace();
  for (const auto& [name, boxes] : boxes_) pictures_->push_back(name);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TrueBox>> DetectionLabels::BoxesOf(const std::string& picture,
                                                              ImageSize upright) const {
  if (folder_.empty()) {
    const auto found = boxes_.find(picture);
    return found == boxes_.end() ? std::vector<TrueBox>() : found->second;
  }
  const std::string path =
      (fs::path(folder_) / fs::path(picture)).replace_extension(".txt").string();
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxTextBytes);
  // A picture without objects has no file.
  if (absl::IsNotFound(text.status())) return std::vector<TrueBox>();
  CLEAVE_RETURN_IF_ERROR(text.status());
  return ReadYoloBoxes(*text, classes_, upright, path);
}

absl::StatusOr<std::vector<TrueBox>> ReadYoloBoxes(absl::string_view text,
                                                   const ModelClasses& classes, ImageSize upright,
                                                   const std::string& origin) {
  std::vector<TrueBox> boxes;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    const std::string at = absl::StrCat(origin, ":", number);
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    TrueBox box;
    std::array<double, 4> shares{};
    bool read = fields.size() == 5 && absl::SimpleAtoi(fields[0], &box.class_index);
    for (std::size_t i = 0; read && i < 4; ++i) {
      read = absl::SimpleAtod(fields[i + 1], &shares[i]) && shares[i] >= 0 && shares[i] <= 1;
    }
    if (!read) {
      return FieldError(at, absl::StrCat("'", line.substr(0, 60), "'"),
                        "a class and four shares of 0 to 1: centre-x centre-y width height");
    }
    const std::optional<int> count =
        !classes.names.empty() ? static_cast<int>(classes.names.size()) : classes.count;
    if (box.class_index < 0 || (count && box.class_index >= *count)) {
      return FieldError(at, absl::StrCat("class ", box.class_index),
                        count ? absl::StrCat("0 to ", *count - 1) : "at least 0");
    }
    const auto [x, y, width, height] = shares;
    box.box = {(x - width / 2) * upright.width, (y - height / 2) * upright.height,
               (x + width / 2) * upright.width, (y + height / 2) * upright.height};
    boxes.push_back(box);
  }
  return boxes;
}

}  // namespace cleave
