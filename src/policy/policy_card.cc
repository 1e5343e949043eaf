#include "policy/policy_card.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/json_section.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kCardVersion = 1;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxPlans = 1024;
constexpr std::size_t kMaxStateFeatures = 1024;
constexpr int kMaxIndex = 1'000'000;
constexpr std::size_t kShownBytes = 60;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<float> Floats(JsonSection& section, absl::string_view key) {
  std::vector<double> numbers;
  section.Numbers(key, 1, kMaxStateFeatures, numbers);
  std::vector<float> floats;
  floats.reserve(numbers.size());
  for (const double number : numbers) {
    if (!(std::abs(number) <= std::numeric_limits<float>::max())) {
      section.Fail(key, absl::StrCat(number), "numbers that single precision holds");
      return {};
    }
    floats.push_back(static_cast<float>(number));
  }
  return floats;
}

Algorithm ReadAlgorithm(JsonSection& section) {
  std::string name(AlgorithmName(Algorithm::kSacd));
  section.Text("algorithm", name);
  const absl::StatusOr<Algorithm> known = ParseAlgorithm(name.substr(0, kShownBytes));
  if (known.ok()) return *known;
  section.Fail(known.status());
  return Algorithm::kSacd;
}

Json PlanToJson(const Plan& plan) {
  return {{"exit", plan.exit},
          {"cut", plan.cut},
          {"encoding", std::string(EncodingName(plan.encoding))}};
}

Plan ReadPlan(JsonSection& section) {
  Plan plan;
  section.Whole("exit", plan.exit);
  section.Whole("cut", plan.cut);
  std::string encoding(EncodingName(plan.encoding));
  section.Text("encoding", encoding);
  const absl::StatusOr<Encoding> known = ParseEncoding(encoding.substr(0, kShownBytes));
  if (known.ok()) {
    plan.encoding = *known;
  } else {
    section.Fail(known.status());
  }
  section.Finish();
  return plan;
}

absl::Status CheckPlan(const Plan& plan, const std::string& field) {
  CLEAVE_RETURN_IF_ERROR(CheckRange(field + ".exit", plan.exit, 0, kMaxIndex));
  CLEAVE_RETURN_IF_ERROR(CheckRange(field + ".cut", plan.cut, 0, kMaxIndex));
  if (!IsPicture(plan.encoding) || plan.cut == 0) return absl::OkStatus();
  return FieldError(field,
                    absl::StrCat("encoding ", EncodingName(plan.encoding), " at cut ", plan.cut),
                    "cut 0, where the tensor is a picture");
}

absl::Status CheckPlans(const std::vector<Plan>& plans) {
  if (plans.empty() || plans.size() > kMaxPlans) {
    return FieldError("plans", absl::StrCat(plans.size(), " entries"),
                      absl::StrCat("1 to ", kMaxPlans));
  }
  for (std::size_t i = 0; i < plans.size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(CheckPlan(plans[i], absl::StrCat("plans[", i, "]")));
  }
  std::vector<Plan> sorted = plans;
  const auto order = [](const Plan& plan) {
    return std::tuple(plan.exit, plan.cut, plan.encoding);
  };
  std::sort(sorted.begin(), sorted.end(),
            [&order](const Plan& a, const Plan& b) { return order(a) < order(b); });
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice == sorted.end()) return absl::OkStatus();
  return FieldError("plans",
                    absl::StrCat("exit ", twice->exit, ", cut ", twice->cut, ", ",
                                 EncodingName(twice->encoding), " twice"),
                    "each plan once");
}

absl::Status CheckRange(const std::vector<float>& low, const std::vector<float>& high) {
  if (low.empty() || low.size() > kMaxStateFeatures) {
    return FieldError("state_low", absl::StrCat(low.size(), " entries"),
                      absl::StrCat("1 to ", kMaxStateFeatures));
  }
  if (high.size() != low.size()) {
    return FieldError("state_high", absl::StrCat(high.size(), " entries"),
                      absl::StrCat(low.size(), ", as state_low has"));
  }
  for (std::size_t i = 0; i < low.size(); ++i) {
    if (!std::isfinite(low[i]) || !std::isfinite(high[i]) || low[i] > high[i]) {
      return FieldError(absl::StrCat("state_high[", i, "]"), absl::StrCat(high[i]),
                        absl::StrCat("a finite number of at least state_low[", i, "], ", low[i]));
    }
  }
  return absl::OkStatus();
}

PolicyCard ReadCard(JsonSection section) {
  int version = kCardVersion;
  section.Whole("version", version);
  // Another version may well have other fields.
  if (version != kCardVersion) {
    section.Fail("version", absl::StrCat(version), absl::StrCat(kCardVersion));
  }
  PolicyCard card;
  section.Whole("features", card.feature_version);
  card.algorithm = ReadAlgorithm(section);
  section.Text("model_digest", card.model_digest);
  for (JsonSection& plan : section.Sections("plans", 1, kMaxPlans, "plans")) {
    card.plans.push_back(ReadPlan(plan));
  }
  card.state_low = Floats(section, "state_low");
  card.state_high = Floats(section, "state_high");
  section.Whole("seed", card.seed);
  section.Whole("steps", card.steps);
  section.Text("environment", card.environment);
  section.Finish();
  return card;
}

}  // namespace

absl::Status PolicyCard::Validate() const {
  if (feature_version < 1)
    return FieldError("features", absl::StrCat(feature_version), "at least 1");
  CLEAVE_RETURN_IF_ERROR(CheckDigest("model_digest", model_digest));
  CLEAVE_RETURN_IF_ERROR(CheckPlans(plans));
  CLEAVE_RETURN_IF_ERROR(CheckRange(state_low, state_high));
  if (steps < 0) return FieldError("steps", absl::StrCat(steps), "at least 0");
  if (environment.size() <= kMaxEnvironmentBytes) return absl::OkStatus();
  return FieldError("environment", absl::StrCat(environment.size(), " bytes"),
                    absl::StrCat("at most ", kMaxEnvironmentBytes));
}

std::string PolicyCard::ToJson() const {
  Json list = Json::array();
  for (const Plan& plan : plans) list.push_back(PlanToJson(plan));
  return Dump({{"version", kCardVersion},
               {"features", feature_version},
               {"algorithm", std::string(AlgorithmName(algorithm))},
               {"model_digest", model_digest},
               {"plans", std::move(list)},
               {"state_low", state_low},
               {"state_high", state_high},
               {"seed", seed},
               {"steps", steps},
               {"environment", environment}});
}

absl::StatusOr<PolicyCard> PolicyCard::FromJson(const std::string& text,
                                                const std::string& origin) {
  if (text.size() > kMaxTextBytes) {
    return FieldError(absl::StrCat(origin, ": card"), absl::StrCat(text.size(), " bytes"),
                      absl::StrCat("at most ", kMaxTextBytes));
  }
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(text, origin));
  PolicyCard card = ReadCard(document.Root("card"));
  CLEAVE_RETURN_IF_ERROR(document.status());
  if (const absl::Status valid = card.Validate(); !valid.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": ", valid.message()));
  }
  return card;
}

}  // namespace cleave
