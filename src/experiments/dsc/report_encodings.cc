#include "experiments/dsc/report_encodings.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace cleave::experiments::dsc {
namespace {

enum class Winner { kSplit, kDevice, kJpeg, kInput };

const EncodingChoice* Find(const EncodingRate& rate, Encoding encoding) {
  const auto found =
      std::find_if(rate.choices.begin(), rate.choices.end(),
                   [&](const EncodingChoice& choice) { return choice.encoding == encoding; });
  return found == rate.choices.end() ? nullptr : &*found;
}

const EncodingChoice* FastestOf(const EncodingRate& rate, const std::vector<Encoding>& encodings) {
  const EncodingChoice* fastest = nullptr;
  for (const Encoding encoding : encodings) {
    const EncodingChoice* choice = Find(rate, encoding);
    if (choice == nullptr) continue;
    if (fastest == nullptr || choice->predicted_us < fastest->predicted_us) fastest = choice;
  }
  return fastest;
}

Winner WinnerAt(const EncodingForecast& forecast, const EncodingRate& rate,
                const EncodingChoice& tensors) {
  const EncodingChoice* jpeg = Find(rate, Encoding::kJpeg);
  if (jpeg != nullptr && jpeg->predicted_us < tensors.predicted_us) return Winner::kJpeg;
  if (tensors.cut == forecast.last_cut) return Winner::kDevice;
  return tensors.cut == 0 ? Winner::kInput : Winner::kSplit;
}

// "1, 2 and 5 Mbit/s"
std::string RatesText(const std::vector<double>& rates_bps) {
  std::vector<std::string> words;
  words.reserve(rates_bps.size());
  for (const double rate_bps : rates_bps) words.push_back(absl::StrFormat("%g", rate_bps / 1e6));
  const std::string last = words.back();
  words.pop_back();
  const std::string before = absl::StrJoin(words, ", ");
  return absl::StrCat(before, before.empty() ? "" : " and ", last, " Mbit/s");
}

std::string Name(Encoding encoding) { return std::string(EncodingName(encoding)); }

bool IsLossy(Encoding encoding) { return !IsExact(encoding); }

std::string WithText(const EncodingForecast& forecast, const std::vector<Encoding>& encodings) {
  const bool lossy = std::any_of(encodings.begin(), encodings.end(), IsLossy);
  const std::string which =
      encodings.size() == 1
          ? Name(encodings.front())
          : absl::StrCat("the best of ",
                         absl::StrJoin(encodings, ", ", [](std::string* out, Encoding each) {
                           out->append(Name(each));
                         }));
  const char* worth =
      forecast.calibrated ? " (whatever it costs in accuracy)" : " (accuracy not calibrated)";
  return absl::StrCat("With ", which, lossy ? worth : "");
}

// What each rate is best served by, in words.
std::string PaysText(const std::array<std::vector<double>, 4>& rates_of) {
  const auto of = [&](Winner winner) { return rates_of[static_cast<std::size_t>(winner)]; };
  const std::vector<double> split = of(Winner::kSplit);
  std::string text =
      split.empty() ? "a split is predicted to be the fastest at no rate"
                    : absl::StrCat("a split is predicted to be the fastest at ", RatesText(split));
  std::vector<std::string> losses;
  for (const auto& [winner, faster] :
       {std::pair(Winner::kDevice, "staying on the device is faster"),
        std::pair(Winner::kJpeg, "sending the JPEG is faster"),
        std::pair(Winner::kInput, "sending the input itself is faster")}) {
    if (!of(winner).empty()) {
      losses.push_back(absl::StrCat("at ", RatesText(of(winner)), ", where ", faster));
    }
  }
  if (!losses.empty()) {
    absl::StrAppend(&text, "; splitting does not pay ", absl::StrJoin(losses, ", nor "));
  }
  return text + ".";
}

}  // namespace

std::string SplitVerdict(const EncodingForecast& forecast, const std::vector<Encoding>& encodings) {
  std::array<std::vector<double>, 4> rates_of;
  bool any = false;
  for (const EncodingRate& rate : forecast.rates) {
    const EncodingChoice* tensors = FastestOf(rate, encodings);
    if (tensors == nullptr) continue;
    const auto winner = static_cast<std::size_t>(WinnerAt(forecast, rate, *tensors));
    rates_of[winner].push_back(rate.rate_bps);
    any = true;
  }
  if (!any) return "";
  return absl::StrCat(WithText(forecast, encodings), ", ", PaysText(rates_of));
}

std::string CutShift(const EncodingForecast& forecast, Encoding encoding) {
  std::vector<std::string> moves;
  bool any = false;
  for (const EncodingRate& rate : forecast.rates) {
    const EncodingChoice* full = Find(rate, Encoding::kFp32);
    const EncodingChoice* small = Find(rate, encoding);
    if (full == nullptr || small == nullptr) continue;
    any = true;
    if (full->cut == small->cut) continue;
    moves.push_back(
        absl::StrFormat("from %d to %d at %g Mbit/s", full->cut, small->cut, rate.rate_bps / 1e6));
  }
  if (!any) return "";
  if (moves.empty()) {
    return absl::StrCat("From fp32 to ", Name(encoding), " the best cut moves at no rate.");
  }
  return absl::StrCat("From fp32 to ", Name(encoding), " the best cut moves ",
                      absl::StrJoin(moves, ", "), ".");
}

std::vector<std::string> EncodingSentences(const EncodingForecast& forecast) {
  std::vector<std::string> sentences = {
      SplitVerdict(forecast, {Encoding::kFp32}),
      SplitVerdict(forecast, {Encoding::kFp32, Encoding::kFp16, Encoding::kQ8, Encoding::kQ4,
                              Encoding::kQ2})};
  for (const Encoding encoding : {Encoding::kQ8, Encoding::kQ2}) {
    sentences.push_back(CutShift(forecast, encoding));
  }
  std::erase(sentences, "");
  return sentences;
}

}  // namespace cleave::experiments::dsc
