#include "codec/coefficient_coder.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "codec/vectorized.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::uint32_t kMostSeen = 1023;
constexpr int kMostBands = BlockLayout::kBlockSide * BlockLayout::kBlockSide;
// Makes a conversion to a whole number round to the nearest.
constexpr float kHalfStep = 0.5F;
// Steps of a component that is usually not coded.
constexpr float kLeastLarge = 1.5F;
constexpr int kMostEscapeBits = 24;
constexpr std::int32_t kLeastExpectation = 9 * 64;

// 64 log2(1 + n), rounded. Computed in integers, so that it is the same on every machine: the
// logarithm's bits come from repeated squares.
constexpr std::int16_t Log2In64ths(std::uint32_t number) {
  std::uint64_t value = number;  // In 1/2^31 after this.
  int whole = 0;
  while ((value >> (whole + 1)) != 0) ++whole;
  value <<= 31 - whole;
  std::int32_t bits = whole;
  for (int i = 0; i < 7; ++i) {
    value = (value * value) >> 31;
    bits <<= 1;
    if ((value >> 32) != 0) {
      value >>= 1;
      bits |= 1;
    }
  }
  return static_cast<std::int16_t>((bits + 1) >> 1);
}

constexpr std::array<std::int16_t, kMostSeen + 1> MakeLogs() {
  std::array<std::int16_t, kMostSeen + 1> logs{};
  for (std::uint32_t n = 0; n <= kMostSeen; ++n) logs[n] = Log2In64ths(n + 1);
  return logs;
}

constexpr auto kLogs = MakeLogs();
static_assert(kLogs[0] == 0 && kLogs[1] == 64 && kLogs[2] == 101 && kLogs[1023] == 640);

std::int32_t Log(std::uint32_t number) { return kLogs[std::min(number, kMostSeen)]; }

// Adds up magnitudes around those of a band: `around` counts the left and upper block twice and
// those above these once, `direct` the left and upper block, and `neighbours` what `direct` has on
// both sides. REQUIRES: `direct` has one value more, a 0, at either end.
CLEAVE_VECTORIZED void SumAround(const std::uint16_t* left, const std::uint16_t* above,
                                 const std::uint16_t* above_left, const std::uint16_t* above_right,
                                 std::size_t count, std::uint16_t* direct, std::uint16_t* around,
                                 std::uint16_t* neighbours) {
  constexpr std::uint16_t kMost = kMostSeen;
  for (std::size_t i = 0; i < count; ++i) {
    direct[i] = static_cast<std::uint16_t>(left[i] + above[i]);
    const auto sum = static_cast<std::uint16_t>(2 * direct[i] + above_left[i] + above_right[i]);
    around[i] = sum < kMost ? sum : kMost;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto sum = static_cast<std::uint16_t>(*(direct + i - 1) + direct[i + 1]);
    neighbours[i] = sum < kMost ? sum : kMost;
  }
}

CLEAVE_VECTORIZED void ExpectFromOffsets(const std::int16_t* offsets, std::size_t count,
                                         std::int32_t base, std::int32_t* expectations) {
  for (std::size_t i = 0; i < count; ++i) expectations[i] = base + 64 * offsets[i];
}

// Rounds the sizes of coefficients to whole steps, and says whether all are numbers up to
// kLargestMagnitude.
CLEAVE_VECTORIZED bool RoundSizes(const float* values, std::size_t count, std::int32_t* nearest) {
  constexpr auto kMost = static_cast<float>(kLargestMagnitude);
  std::int32_t beyond = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float size = std::abs(values[i]);
    beyond |= size <= kMost ? 0 : 1;
    nearest[i] = static_cast<std::int32_t>((size <= kMost ? size : kMost) + kHalfStep);
  }
  return beyond == 0;
}

std::vector<AdaptiveBit> BitsOf(const CoefficientModel& model) {
  return {model.chance.begin(), model.chance.end()};
}

// What a magnitude is above the largest that is not escaped; too large where there are more bits
// than any has.
CLEAVE_INLINED std::int32_t TakeEscape(RangeDecoder& in) {
  int bits = 0;
  while (in.DecodeRaw(1) != 0) {
    if (++bits > kMostEscapeBits) return kLargestMagnitude + 2;
  }
  const std::uint32_t rest = (std::uint32_t{1} << bits) + in.DecodeRaw(bits);
  return static_cast<std::int32_t>(rest) - 1;
}

std::size_t BitIndex(int context, std::int32_t magnitude) {
  return static_cast<std::size_t>(context) * kUnaryMagnitudes + static_cast<std::size_t>(magnitude);
}

}  // namespace

int ContextAt(std::int32_t expectation) {
  return std::clamp((expectation + kLeastExpectation) >> 4, 0, kContexts - 1);
}

absl::Status CoefficientModel::Validate() const {
  if (active.empty() || active.size() > kMostBands) {
    return FieldError("active", absl::StrCat(active.size(), " bands"),
                      absl::StrCat("1 to ", kMostBands));
  }
  for (const int each : active) CLEAVE_RETURN_IF_ERROR(CheckRange("active", each, 0, components));
  const auto count = static_cast<std::size_t>(components);
  CLEAVE_RETURN_IF_ERROR(CheckCount("offset", offset.size(), active.size() * count));
  CLEAVE_RETURN_IF_ERROR(CheckCount("weight", weight.size(), active.size() * kContextFeatures));
  CLEAVE_RETURN_IF_ERROR(
      CheckCount("chance", chance.size(), std::size_t{kContexts} * kUnaryMagnitudes));
  return absl::OkStatus();
}

MagnitudeCosts::MagnitudeCosts(const CoefficientModel& model)
    : bits_(std::size_t{kContexts} * kColumns) {
  for (int context = 0; context < kContexts; ++context) {
    float above = 0;
    float* row = bits_.data() + static_cast<std::size_t>(context) * kColumns;
    for (int magnitude = 0; magnitude < kUnaryMagnitudes; ++magnitude) {
      const float chance =
          std::clamp(static_cast<float>(model.chance[BitIndex(context, magnitude)]) / 65536.0F,
                     1.0F / 1024, 1 - 1.0F / 1024);
      row[magnitude] = above - std::log2(1 - chance);
      above -= std::log2(chance);
    }
    row[kUnaryMagnitudes] = above + 1;
    row[kUnaryMagnitudes + 1] = above + 4;
    for (int magnitude = 1; magnitude < kColumns; ++magnitude) row[magnitude] += 1;  // The sign.
  }
}

std::int32_t BestMagnitude(const MagnitudeCosts& costs, int context, float size, float lambda) {
  const auto nearest = static_cast<std::int32_t>(size + kHalfStep);
  if (nearest == 0) return 0;
  std::int32_t best = 0;
  float least = size * size + lambda * costs.Bits(context, 0);
  for (std::int32_t each = std::max(1, nearest - 1); each <= nearest; ++each) {
    const float miss = size - static_cast<float>(each);
    const float cost = miss * miss + lambda * costs.Bits(context, each);
    if (cost >= least) continue;
    least = cost;
    best = each;
  }
  return best;
}

ContextTracker::ContextTracker(const CoefficientModel& model, int rows, int columns)
    : model_(model),
      columns_(static_cast<std::size_t>(columns)),
      bands_(static_cast<std::size_t>(model.bands())),
      components_(static_cast<std::size_t>(model.components)),
      magnitudes_(2 * columns_ * bands_ * components_),
      sums_(static_cast<std::size_t>(rows) * columns_ * bands_),
      nothing_(components_),
      around_(components_),
      neighbours_(components_),
      direct_(components_ + 2),
      expectations_(components_) {}

void ContextTracker::BeginBand(int block, int band, int active) {
  const auto at = static_cast<std::size_t>(block);
  const auto in_block = static_cast<std::size_t>(band);
  const auto count = static_cast<std::size_t>(active);
  const std::size_t row = at / columns_;
  const std::size_t column = at % columns_;
  const bool has_left = column > 0;
  const bool has_above = row > 0;
  const bool has_right = column + 1 < columns_;
  place_ = at * bands_ + in_block;
  const auto band_at = [&](std::size_t row_at, std::size_t column_at) {
    return magnitudes_.data() +
           ((row_at % 2 * columns_ + column_at) * bands_ + in_block) * components_;
  };
  row_ = band_at(row, column);
  std::fill_n(row_, count, std::uint16_t{0});
  weight_ = model_.weight.data() + in_block * kContextFeatures;
  sum_ = preceding_ = last_ = 0;
  recent_ = 0;

  const std::uint32_t* sums = sums_.data() + at * bands_;
  std::uint32_t lower = 0;
  for (std::size_t each = 0; each < in_block; ++each) lower += sums[each];
  std::uint32_t before = band > 0 ? sums[in_block - 1] : 0;
  if (band > 1) before += sums[in_block - 2];
  const std::size_t upper = place_ - columns_ * bands_;  // Where there is one.
  const std::uint32_t of_left = has_left ? sums_[place_ - bands_] : 0;
  const std::uint32_t of_above = has_above ? sums_[upper] : 0;
  lower_ = Log(lower);
  before_ = Log(before);
  beside_ = Log(of_left + of_above);
  const std::int32_t base = weight_[4] * lower_ + weight_[5] * before_ + weight_[6] * beside_;
  ExpectFromOffsets(model_.offset.data() + in_block * components_, count,
                    base + 64 * kLeastExpectation, expectations_.data());

  const std::uint32_t of_above_left = has_above && has_left ? sums_[upper - bands_] : 0;
  const std::uint32_t of_above_right = has_above && has_right ? sums_[upper + bands_] : 0;
  if ((of_left | of_above | of_above_left | of_above_right) == 0) {
    std::fill_n(around_.begin(), count, std::uint16_t{0});
    std::fill_n(neighbours_.begin(), count, std::uint16_t{0});
    return;
  }
  const std::uint16_t* nothing = nothing_.data();
  direct_[count + 1] = 0;
  SumAround(has_left ? band_at(row, column - 1) : nothing,
            has_above ? band_at(row - 1, column) : nothing,
            has_above && has_left ? band_at(row - 1, column - 1) : nothing,
            has_above && has_right ? band_at(row - 1, column + 1) : nothing, count,
            direct_.data() + 1, around_.data(), neighbours_.data());
  for (std::size_t i = 0; i < count; ++i) {
    expectations_[i] += weight_[0] * kLogs[around_[i]] + weight_[1] * kLogs[neighbours_[i]];
  }
}

std::array<std::int32_t, kContextFeatures> ContextTracker::FeaturesOf(int component) const {
  const auto at = static_cast<std::size_t>(component);
  return {kLogs[around_[at]],
          kLogs[neighbours_[at]],
          Log(preceding_),
          Log(sum_),
          lower_,
          before_,
          beside_};
}

void ContextTracker::AddOther(int component, std::int32_t magnitude) {
  const std::uint32_t seen = std::min(static_cast<std::uint32_t>(magnitude), kMostSeen);
  row_[component] = static_cast<std::uint16_t>(seen);
  sum_ += seen;
  preceding_ = 2 * seen + last_;
  last_ = seen;
  recent_ = weight_[2] * Log(preceding_) + weight_[3] * Log(sum_);
}

CoefficientEncoder::CoefficientEncoder(const CoefficientModel& model, const MagnitudeCosts& costs,
                                       RangeEncoder& out)
    : model_(model),
      costs_(costs),
      out_(out),
      magnitude_bits_(BitsOf(model)),
      nearest_(static_cast<std::size_t>(model.components)) {}

absl::Status CoefficientEncoder::Encode(std::span<const float> coefficients, int rows, int columns,
                                        float lambda) {
  const std::vector<int> all_active = PutActive(coefficients, rows * columns);
  ContextTracker tracker(model_, rows, columns);
  const auto components = static_cast<std::size_t>(model_.components);
  std::size_t first = 0;
  for (int block = 0; block < rows * columns; ++block) {
    for (int band = 0; band < model_.bands(); ++band) {
      const int active = all_active[static_cast<std::size_t>(band)];
      tracker.BeginBand(block, band, active);
      CLEAVE_RETURN_IF_ERROR(
          PutBand(coefficients.subspan(first, static_cast<std::size_t>(active)), lambda, tracker));
      tracker.EndBand();
      first += components;
    }
  }
  return absl::OkStatus();
}

absl::Status CoefficientEncoder::PutBand(std::span<const float> coefficients, float lambda,
                                         ContextTracker& tracker) {
  if (!RoundSizes(coefficients.data(), coefficients.size(), nearest_.data())) {
    const auto beyond = std::find_if_not(coefficients.begin(), coefficients.end(), [](float value) {
      return std::abs(value) <= static_cast<float>(kLargestMagnitude);
    });
    return absl::OutOfRangeError(absl::StrCat("found a coefficient of ", *beyond,
                                              " steps, expected at most ", kLargestMagnitude));
  }
  for (std::size_t i = 0; i < coefficients.size(); ++i) {
    const auto component = static_cast<int>(i);
    const int context = tracker.ContextOf(component);
    std::int32_t magnitude = 0;
    if (nearest_[i] != 0) {
      magnitude = BestMagnitude(costs_, context, std::abs(coefficients[i]), lambda);
    }
    if (magnitude == 0) {
      out_.Encode(false, magnitude_bits_[BitIndex(context, 0)]);
    } else {
      Put(context, magnitude);
      out_.EncodeRaw(coefficients[i] < 0 ? 1 : 0, 1);
    }
    tracker.Add(component, magnitude);
  }
  return absl::OkStatus();
}

// Says for each band of an item whether all of its components are coded, and returns how many are.
std::vector<int> CoefficientEncoder::PutActive(std::span<const float> coefficients, int blocks) {
  std::vector<int> all_active = model_.active;
  const auto components = static_cast<std::size_t>(model_.components);
  for (std::size_t band = 0; band < all_active.size(); ++band) {
    const auto active = static_cast<std::size_t>(all_active[band]);
    if (active == components) continue;
    bool large = false;
    for (int block = 0; block < blocks && !large; ++block) {
      const float* values =
          coefficients.data() +
          (static_cast<std::size_t>(block) * all_active.size() + band) * components;
      large = !std::all_of(values + active, values + components,
                           [](float value) { return std::abs(value) <= kLeastLarge; });
    }
    out_.Encode(large, whole_band_);
    if (large) all_active[band] = model_.components;
  }
  return all_active;
}

void CoefficientEncoder::Put(int context, std::int32_t magnitude) {
  for (std::int32_t each = 0; each < kUnaryMagnitudes; ++each) {
    const bool above = magnitude > each;
    out_.Encode(above, magnitude_bits_[BitIndex(context, each)]);
    if (!above) return;
  }
  ++escapes_;
  const auto rest = static_cast<std::uint32_t>(magnitude - kUnaryMagnitudes + 1);
  const int bits = std::bit_width(rest) - 1;
  for (int i = 0; i < bits; ++i) out_.EncodeRaw(1, 1);
  out_.EncodeRaw(0, 1);
  out_.EncodeRaw(rest - (std::uint32_t{1} << bits), bits);
}

CoefficientDecoder::CoefficientDecoder(const CoefficientModel& model, RangeDecoder& in)
    : model_(model), in_(in), magnitude_bits_(BitsOf(model)) {}

absl::Status CoefficientDecoder::Decode(int rows, int columns, const TakeRow& take) {
  ContextTracker tracker(model_, rows, columns);
  const auto components = static_cast<std::size_t>(model_.components);
  std::vector<int> all_active = model_.active;
  for (int& active : all_active) {
    if (active < model_.components && in_.Decode(whole_band_)) active = model_.components;
  }
  std::vector<float> coefficients(static_cast<std::size_t>(columns) * all_active.size() *
                                  components);
  for (int row = 0; row < rows; ++row) {
    std::fill(coefficients.begin(), coefficients.end(), 0.0F);
    float* values = coefficients.data();
    for (int block = row * columns; block < (row + 1) * columns; ++block) {
      for (int band = 0; band < model_.bands(); ++band, values += components) {
        const int active = all_active[static_cast<std::size_t>(band)];
        tracker.BeginBand(block, band, active);
        CLEAVE_RETURN_IF_ERROR(DecodeBand(tracker, active, values));
        tracker.EndBand();
      }
    }
    take(row, coefficients);
  }
  return absl::OkStatus();
}

absl::Status CoefficientDecoder::DecodeBand(ContextTracker& tracker, int active, float* values) {
  // A copy that nothing else sees stays in registers.
  RangeDecoder in = in_;
  for (int i = 0; i < active; ++i) {
    AdaptiveBit* const bits = magnitude_bits_.data() + BitIndex(tracker.ContextOf(i), 0);
    if (!in.Decode(bits[0])) {
      tracker.Add(i, 0);
      continue;
    }
    std::int32_t magnitude = 1;
    while (magnitude < kUnaryMagnitudes && in.Decode(bits[magnitude])) ++magnitude;
    if (magnitude == kUnaryMagnitudes) magnitude += TakeEscape(in);
    if (magnitude > kLargestMagnitude + 1) {
      return FieldError("magnitude", "one that is too large",
                        absl::StrCat("at most ", kLargestMagnitude));
    }
    tracker.Add(i, magnitude);
    const auto size = static_cast<float>(magnitude);
    values[i] = in.DecodeRaw(1) != 0 ? -size : size;
  }
  in_ = in;
  return absl::OkStatus();
}

}  // namespace cleave
