#include "app/answer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/printable.h"

namespace cleave::app {
namespace {

constexpr std::size_t kShown = 3;
constexpr double kLeastShown = 0.0005;  // What would be shown as 0.0%.
constexpr double kSumError = 1e-3;      // Of probabilities that were rounded.

float Rank(float value) {
  return std::isnan(value) ? -std::numeric_limits<float>::infinity() : value;
}

bool AreProbabilities(std::span<const float> scores) {
  double sum = 0;
  for (const float score : scores) {
    if (!(score >= 0)) return false;
    sum += score;
  }
  return std::abs(sum - 1) <= kSumError;
}

std::size_t Classes(const Tensor& tensor) { return static_cast<std::size_t>(tensor.shape()[1]); }

std::string ClassText(const ClassScore& score, const std::vector<std::string>& labels) {
  const std::string name =
      score.index < labels.size() ? labels[score.index] : absl::StrCat("class ", score.index);
  return absl::StrFormat("%s %.1f%%", Printable(name), 100 * score.probability);
}

std::string AnswerText(std::span<const float> scores, const std::vector<std::string>& labels) {
  std::vector<std::string> words;
  for (const ClassScore& score : TopClasses(scores, kShown)) {
    if (!words.empty() && !(score.probability >= kLeastShown)) break;
    words.push_back(ClassText(score, labels));
  }
  return absl::StrJoin(words, ", ");
}

// The outputs of strings that have as many rows as there are items, by item.
std::vector<std::vector<Tensor>> TextsOfItems(const std::vector<NamedTensor>& outputs,
                                              std::size_t items) {
  std::vector<std::vector<Tensor>> found;
  for (const auto& [name, tensor] : outputs) {
    const bool fits = tensor.dtype() == DataType::kString && items > 0 && !tensor.shape().empty() &&
                      static_cast<std::size_t>(tensor.shape()[0]) == items;
    if (!fits) continue;
    absl::StatusOr<std::vector<Tensor>> rows = tensor.Split(static_cast<std::int64_t>(items));
    if (rows.ok()) found.push_back(*std::move(rows));
  }
  return found;
}

std::string TextsOf(const Tensor& tensor) {
  std::vector<std::string> shown;
  for (const absl::string_view text : tensor.strings()) {
    if (shown.size() == kShown) {
      shown.emplace_back("...");
      break;
    }
    shown.push_back(absl::StrCat("'", Printable(text), "'"));
  }
  return absl::StrJoin(shown, " ");
}

}  // namespace

bool IsClassScores(const Tensor& tensor) {
  return tensor.dtype() == DataType::kFloat32 && tensor.shape().size() == 2 &&
         tensor.elements() > 0;
}

std::vector<ClassScore> TopClasses(std::span<const float> scores, std::size_t count) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return Rank(scores[a]) != Rank(scores[b]) ? Rank(scores[a]) > Rank(scores[b])
                                                                : a < b;
                    });
  const bool probabilities = AreProbabilities(scores);
  const double highest = order.empty() || count == 0 ? 0 : scores[order.front()];
  double sum = 1;
  if (!probabilities) {
    sum = 0;
    for (const float score : scores) sum += std::exp(score - highest);
  }
  std::vector<ClassScore> top;
  for (std::size_t i = 0; i < count; ++i) {
    const float value = scores[order[i]];
    const double probability = probabilities ? value : std::exp(value - highest) / sum;
    top.push_back({.index = order[i], .value = value, .probability = probability});
  }
  return top;
}

std::vector<std::string> AnswerLines(const std::vector<NamedTensor>& outputs,
                                     const std::vector<std::string>& items,
                                     const std::vector<std::string>& labels) {
  const auto answer = std::find_if(outputs.begin(), outputs.end(), [&](const NamedTensor& output) {
    return IsClassScores(output.tensor) && Classes(output.tensor) > 1 &&
           static_cast<std::size_t>(output.tensor.shape()[0]) == items.size() &&
           (labels.empty() || Classes(output.tensor) == labels.size());
  });
  const std::vector<std::vector<Tensor>> texts = TextsOfItems(outputs, items.size());
  std::vector<std::string> lines;
  if (answer == outputs.end() && texts.empty()) return lines;
  for (std::size_t item = 0; item < items.size(); ++item) {
    std::vector<std::string> parts;
    parts.reserve(texts.size() + 1);
    for (const std::vector<Tensor>& output : texts) parts.push_back(TextsOf(output[item]));
    if (answer != outputs.end()) {
      const std::size_t classes = Classes(answer->tensor);
      parts.push_back(AnswerText(answer->tensor.floats().subspan(item * classes, classes), labels));
    }
    lines.push_back(absl::StrCat(Printable(items[item]), ": ", absl::StrJoin(parts, "; ")));
  }
  return lines;
}

absl::Status CheckLabelsFit(const std::vector<NamedTensor>& outputs,
                            const std::vector<std::string>& labels, const std::string& origin) {
  if (labels.empty()) return absl::OkStatus();
  std::vector<std::string> found;
  for (const NamedTensor& output : outputs) {
    if (!IsClassScores(output.tensor)) continue;
    if (Classes(output.tensor) == labels.size()) return absl::OkStatus();
    found.push_back(absl::StrCat(Classes(output.tensor), " as output '", output.name, "' has"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      origin, ": found the names of ", labels.size(), " classes, expected ",
      found.empty() ? "none, since no output holds class scores" : absl::StrJoin(found, " or ")));
}

}  // namespace cleave::app
