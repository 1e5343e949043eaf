#include "wire/messages.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/length_prefixed.h"

namespace cleave {

namespace {

constexpr char kExpectedWaitUrl[] = "cleave.expected_wait_us";
constexpr char kRefusalUrl[] = "cleave.refusal";
constexpr char kNotSentUrl[] = "cleave.not_sent";

}  // namespace

absl::string_view NamedFrame::frame() const {
  return absl::string_view(element).substr(kLengthPrefixBytes);
}

void SetExpectedWait(absl::Status& status, std::int64_t wait_us) {
  status.SetPayload(kExpectedWaitUrl, absl::Cord(absl::StrCat(wait_us)));
}

std::optional<std::int64_t> GetExpectedWait(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kExpectedWaitUrl);
  std::int64_t wait_us = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &wait_us)) return std::nullopt;
  return wait_us;
}

absl::Status Refused(Refusal refusal, absl::Status status) {
  status.SetPayload(kRefusalUrl, absl::Cord(absl::StrCat(static_cast<int>(refusal))));
  return status;
}

std::optional<Refusal> GetRefusal(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kRefusalUrl);
  int refusal = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &refusal)) return std::nullopt;
  return static_cast<Refusal>(refusal);
}

void SetNotSent(absl::Status& status) { status.SetPayload(kNotSentUrl, absl::Cord()); }

bool WasNotSent(const absl::Status& status) { return status.GetPayload(kNotSentUrl).has_value(); }

}  // namespace cleave
