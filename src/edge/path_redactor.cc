#include "edge/path_redactor.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

// What may stand before the begin of a path.
bool EndsWord(absl::string_view text) {
  if (text.empty()) return true;
  const auto last = static_cast<unsigned char>(text.back());
  return !absl::ascii_isalnum(last) && last != '.' && last != '_' && last != '-' && last != '/';
}

bool EndsPathPart(absl::string_view rest) {
  if (rest.empty()) return true;
  const auto next = static_cast<unsigned char>(rest.front());
  return !absl::ascii_isalnum(next) && next != '_' && next != '-';
}

}  // namespace

PathRedactor::PathRedactor(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::error_code failed;
    for (const fs::path& form :
         {fs::path(folder), fs::absolute(folder, failed), fs::weakly_canonical(folder, failed)}) {
      std::string text = form.string();
      while (!text.empty() && text.back() == '/') text.pop_back();
      if (!text.empty() && text != "." && text != "..") prefixes_.push_back(text);
    }
  }
  std::sort(prefixes_.begin(), prefixes_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  prefixes_.erase(std::unique(prefixes_.begin(), prefixes_.end()), prefixes_.end());
}

std::string PathRedactor::Redact(absl::string_view text) const {
  std::string redacted;
  while (!text.empty()) {
    const auto begins = [&](const std::string& prefix) {
      return absl::StartsWith(text, prefix) && EndsPathPart(text.substr(prefix.size()));
    };
    const auto prefix = EndsWord(redacted)
                            ? std::find_if(prefixes_.begin(), prefixes_.end(), begins)
                            : prefixes_.end();
    if (prefix == prefixes_.end()) {
      redacted += text.front();
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(prefix->size());
    // Only the last part of the path is left.
    if (text.empty() || text.front() != '/') redacted += "...";
    while (!text.empty() && text.front() == '/') {
      text.remove_prefix(1);
      const std::size_t end = text.find_first_of("/ :,;'\"()\n\t");
      if (end == absl::string_view::npos || text[end] != '/') break;
      text.remove_prefix(end);
    }
  }
  return redacted;
}

absl::Status PathRedactor::Redact(const absl::Status& status) const {
  if (status.ok()) return status;
  const std::string message = Redact(status.message());
  if (message == status.message()) return status;
  absl::Status redacted(status.code(), message);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { redacted.SetPayload(url, payload); });
  return redacted;
}

}  // namespace cleave
