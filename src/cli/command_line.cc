#include "cli/command_line.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace cleave::cli {
namespace {

std::string ShellWord(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("-_./:=,+@%", static_cast<char>(c));
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::vector<std::string> ValuesOf(const CLI::Option& option) {
  if (option.count() > 0) return option.results();
  const std::string by_default = option.get_default_str();
  return by_default.empty() ? std::vector<std::string>{} : std::vector<std::string>{by_default};
}

void Append(const CLI::Option& option, std::vector<std::string>& words) {
  const std::string name = option.get_name();
  if (option.get_items_expected_max() == 0) {
    if (option.count() > 0) words.push_back(name);
    return;
  }
  // An option's several values come together, or each with the option's name.
  const bool together = option.get_items_expected_min() > 1;
  const std::vector<std::string> values = ValuesOf(option);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!option.get_positional() && (i == 0 || !together)) words.push_back(name);
    words.push_back(ShellWord(values[i]));
  }
}

}  // namespace

std::string CommandLine(const CLI::App& command, const std::set<std::string>& without) {
  std::vector<std::string> words;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    words.insert(words.begin(), app->get_name());
  }
  for (const CLI::Option* option : command.get_options()) {
    if (option == command.get_help_ptr() || without.contains(option->get_name())) continue;
    Append(*option, words);
  }
  return absl::StrJoin(words, " ");
}

}  // namespace cleave::cli
