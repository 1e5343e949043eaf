#include "policy/policy_card.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kCardVersion = 1;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxPlans = 1024;
constexpr std::size_t kMaxStateFeatures = 1024;
constexpr int kMaxIndex = 1'000'000;
constexpr std::array<absl::string_view, 2> kAlgorithms = {"sacd", "dqn"};
constexpr std::array<const char*, 10> kFields = {
    "version",   "features",   "algorithm", "model_digest", "plans",
    "state_low", "state_high", "seed",      "steps",        "environment"};

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status WrongType(const Json& json, absl::string_view field, absl::string_view expected) {
  return FieldError(field, Dump(json).substr(0, 60), expected);
}

absl::Status CheckFields(const Json& json, absl::string_view what,
                         std::span<const char* const> known) {
  if (!json.is_object()) return WrongType(json, what, "an object");
  for (const char* field : known) {
    if (!json.contains(field))
      return FieldError(absl::StrCat(what, ".", field), "nothing", "a value");
  }
  for (const auto& [field, value] : json.items()) {
    if (std::find(known.begin(), known.end(), field) == known.end()) {
      return FieldError(what, absl::StrCat("the field '", field.substr(0, 60), "'"),
                        "no such field");
    }
  }
  return absl::OkStatus();
}

template <typename T>
absl::StatusOr<T> Whole(const Json& value, absl::string_view field) {
  if (!value.is_number_integer()) return WrongType(value, field, "a whole number");
  const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                               : std::in_range<T>(value.get<std::int64_t>());
  if (!fits) return WrongType(value, field, "a whole number in range");
  return value.get<T>();
}

absl::StatusOr<std::string> Text(const Json& value, absl::string_view field) {
  if (!value.is_string()) return WrongType(value, field, "a text");
  return value.get<std::string>();
}

absl::Status CheckList(const Json& value, absl::string_view field, std::size_t most) {
  if (!value.is_array()) return WrongType(value, field, "a list");
  if (!value.empty() && value.size() <= most) return absl::OkStatus();
  return FieldError(field, absl::StrCat(value.size(), " entries"), absl::StrCat("1 to ", most));
}

absl::StatusOr<std::vector<float>> Numbers(const Json& list, absl::string_view field) {
  CLEAVE_RETURN_IF_ERROR(CheckList(list, field, kMaxStateFeatures));
  std::vector<float> numbers;
  numbers.reserve(list.size());
  for (const Json& value : list) {
    if (!value.is_number()) return WrongType(value, field, "numbers");
    const double number = value.get<double>();
    if (!(std::abs(number) <= std::numeric_limits<float>::max())) {
      return WrongType(value, field, "numbers that single precision holds");
    }
    numbers.push_back(static_cast<float>(number));
  }
  return numbers;
}

Json PlanToJson(const Plan& plan) {
  return {{"exit", plan.exit},
          {"cut", plan.cut},
          {"encoding", std::string(EncodingName(plan.encoding))}};
}

absl::StatusOr<Plan> PlanFromJson(const Json& json, const std::string& field) {
  static constexpr std::array<const char*, 3> kPlanFields = {"exit", "cut", "encoding"};
  CLEAVE_RETURN_IF_ERROR(CheckFields(json, field, kPlanFields));
  Plan plan;
  CLEAVE_ASSIGN_OR_RETURN(plan.exit, Whole<int>(json.at("exit"), field + ".exit"));
  CLEAVE_ASSIGN_OR_RETURN(plan.cut, Whole<int>(json.at("cut"), field + ".cut"));
  CLEAVE_ASSIGN_OR_RETURN(const std::string encoding,
                          Text(json.at("encoding"), field + ".encoding"));
  const absl::StatusOr<Encoding> known = ParseEncoding(encoding.substr(0, 60));
  if (!known.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ".", known.status().message()));
  }
  plan.encoding = *known;
  return plan;
}

absl::StatusOr<std::vector<Plan>> PlansFromJson(const Json& list) {
  CLEAVE_RETURN_IF_ERROR(CheckList(list, "plans", kMaxPlans));
  std::vector<Plan> plans;
  plans.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const Plan plan, PlanFromJson(list[i], absl::StrCat("plans[", i, "]")));
    plans.push_back(plan);
  }
  return plans;
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

absl::Status CheckVersion(const Json& json) {
  if (!json.is_object() || !json.contains("version")) return absl::OkStatus();
  CLEAVE_ASSIGN_OR_RETURN(const int version, Whole<int>(json.at("version"), "version"));
  if (version == kCardVersion) return absl::OkStatus();
  return FieldError("version", absl::StrCat(version), absl::StrCat(kCardVersion));
}

absl::StatusOr<PolicyCard> CardFromJson(const Json& json) {
  // Another version may well have other fields.
  CLEAVE_RETURN_IF_ERROR(CheckVersion(json));
  CLEAVE_RETURN_IF_ERROR(CheckFields(json, "card", kFields));
  PolicyCard card;
  CLEAVE_ASSIGN_OR_RETURN(card.feature_version, Whole<int>(json.at("features"), "features"));
  CLEAVE_ASSIGN_OR_RETURN(card.algorithm, Text(json.at("algorithm"), "algorithm"));
  CLEAVE_ASSIGN_OR_RETURN(card.model_digest, Text(json.at("model_digest"), "model_digest"));
  CLEAVE_ASSIGN_OR_RETURN(card.plans, PlansFromJson(json.at("plans")));
  CLEAVE_ASSIGN_OR_RETURN(card.state_low, Numbers(json.at("state_low"), "state_low"));
  CLEAVE_ASSIGN_OR_RETURN(card.state_high, Numbers(json.at("state_high"), "state_high"));
  CLEAVE_ASSIGN_OR_RETURN(card.seed, Whole<std::uint64_t>(json.at("seed"), "seed"));
  CLEAVE_ASSIGN_OR_RETURN(card.steps, Whole<std::int64_t>(json.at("steps"), "steps"));
  CLEAVE_ASSIGN_OR_RETURN(card.environment, Text(json.at("environment"), "environment"));
  CLEAVE_RETURN_IF_ERROR(card.Validate());
  return card;
}

}  // namespace

absl::Status PolicyCard::Validate() const {
  if (feature_version < 1)
    return FieldError("features", absl::StrCat(feature_version), "at least 1");
  if (std::find(kAlgorithms.begin(), kAlgorithms.end(), algorithm) == kAlgorithms.end()) {
    return FieldError("algorithm", absl::StrCat("'", algorithm.substr(0, 60), "'"), "sacd or dqn");
  }
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
               {"algorithm", algorithm},
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
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(origin + ": card: found no JSON, expected an object");
  }
  absl::StatusOr<PolicyCard> card = CardFromJson(json);
  if (card.ok()) return card;
  return absl::InvalidArgumentError(absl::StrCat(origin, ": ", card.status().message()));
}

}  // namespace cleave
