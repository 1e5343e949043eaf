#include "learn/mixed_environment.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace cleave {

absl::StatusOr<std::unique_ptr<MixedEnvironment>> MixedEnvironment::Create(
    std::vector<std::unique_ptr<Environment>> parts, const std::vector<std::string>& names) {
  if (parts.empty()) {
    return FieldError("environments", "none", "at least one");
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i]->model_digest() != parts.front()->model_digest()) {
      return FieldError(names[i], absl::StrCat("another model than in ", names.front()),
                        "the same");
    }
    if (parts[i]->plans() != parts.front()->plans()) {
      return FieldError(
          names[i],
          absl::StrCat("other plans than in ", names.front(), " (", parts[i]->plans().size(),
                       " and ", parts.front()->plans().size(), ")"),
          "the same: the same [model], [edge] and [constraints]");
    }
  }
  return std::unique_ptr<MixedEnvironment>(new MixedEnvironment(std::move(parts)));
}

MixedEnvironment::MixedEnvironment(std::vector<std::unique_ptr<Environment>> parts)
    : parts_(std::move(parts)), now_(parts_.front().get()) {}

absl::Status MixedEnvironment::Reset(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  now_ = parts_[random() % parts_.size()].get();
  return now_->Reset(seed);
}

}  // namespace cleave
