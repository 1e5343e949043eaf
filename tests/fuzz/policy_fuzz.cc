// Any policy card is refused, or says the same again after it was written out; any bytes are
// refused as a plain model, or have sensible ports.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "model/plain_model.h"
#include "policy/policy_card.h"

namespace {

void CheckCard(const std::string& text) {
  const auto card = cleave::PolicyCard::FromJson(text, "fuzz");
  if (!card.ok()) return;
  const auto again = cleave::PolicyCard::FromJson(card->ToJson(), "fuzz");
  const bool same = again.ok() && again->plans == card->plans &&
                    again->state_low == card->state_low && again->state_high == card->state_high &&
                    again->ToJson() == card->ToJson();
  if (!same) std::abort();
}

void CheckPlainModel(absl::string_view bytes) {
  const auto plain = cleave::ReadPlainModel(bytes, "fuzz");
  if (!plain.ok()) return;
  for (const cleave::TensorSpec& spec : plain->inputs) {
    for (const std::int64_t size : spec.shape) {
      if (size < -1) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckCard(bytes);
  CheckPlainModel(bytes);
  return 0;
}
