#include "codec/coefficient_coder.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::uint32_t kMostSeen = 1023;
constexpr int kMostBands = BlockLayout::kBlockSide * BlockLayout::kBlockSide;
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

absl::Status CheckSize(absl::string_view field, std::size_t found, std::size_t expected) {
  if (found == expected) return absl::OkStatus();
  return FieldError(field, absl::StrCat(found, " values"), expected);
}

std::vector<AdaptiveBit> BitsOf(const CoefficientModel& model) {
  return {model.chance.begin(), model.chance.end()};
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
  CLEAVE_RETURN_IF_ERROR(CheckSize("offset", offset.size(), active.size() * count));
  CLEAVE_RETURN_IF_ERROR(CheckSize("weight", weight.size(), active.size() * kContextFeatures));
  CLEAVE_RETURN_IF_ERROR(
      CheckSize("chance", chance.size(), std::size_t{kContexts} * kUnaryMagnitudes));
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
  const auto nearest = static_cast<std::int32_t>(size + 0.5F);
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
      columns_(columns),
      bands_(static_cast<std::size_t>(model.bands())),
      components_(static_cast<std::size_t>(model.components)),
      magnitudes_(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) * bands_ *
                  components_),
      sums_(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) * bands_),
      around_(components_ + 2),
      neighbours_(components_) {}

void ContextTracker::BeginBand(int block, int band, int active) {
  block_ = block;
  band_ = band;
  row_ = const_cast<std::uint16_t*>(Row(block, band));
  sum_ = 0;
  const int row = block / columns_;
  const int column = block % columns_;
  const auto count = static_cast<std::size_t>(active);
  const std::uint16_t* left = column > 0 ? Row(block - 1, band) : nullptr;
  const std::uint16_t* above = row > 0 ? Row(block - columns_, band) : nullptr;
  const std::uint16_t* above_left =
      row > 0 && column > 0 ? Row(block - columns_ - 1, band) : nullptr;
  const std::uint16_t* above_right =
      row > 0 && column + 1 < columns_ ? Row(block - columns_ + 1, band) : nullptr;
  std::fill(around_.begin(), around_.begin() + static_cast<std::ptrdiff_t>(count + 2), 0);
  std::uint32_t* direct = around_.data() + 1;
  for (std::size_t i = 0; left != nullptr && i < count; ++i) direct[i] += left[i];
  for (std::size_t i = 0; above != nullptr && i < count; ++i) direct[i] += above[i];
  // `direct` may be one longer than what is coded: nothing is beyond the last component.
  for (std::size_t i = 0; i < count; ++i) neighbours_[i] = direct[i + 1] + around_[i];
  for (std::size_t i = 0; i < count; ++i) direct[i] *= 2;
  for (std::size_t i = 0; above_left != nullptr && i < count; ++i) direct[i] += above_left[i];
  for (std::size_t i = 0; above_right != nullptr && i < count; ++i) direct[i] += above_right[i];

  const std::uint32_t* sums = sums_.data() + static_cast<std::size_t>(block) * bands_;
  std::uint32_t lower = 0;
  for (int each = 0; each < band; ++each) lower += sums[each];
  std::uint32_t before = band > 0 ? sums[band - 1] : 0;
  if (band > 1) before += sums[band - 2];
  std::uint32_t beside = column > 0 ? *(sums + band - bands_) : 0;
  if (row > 0) beside += *(sums + band - static_cast<std::size_t>(columns_) * bands_);
  lower_ = Log(lower);
  before_ = Log(before);
  beside_ = Log(beside);
  const std::int16_t* weight =
      model_.weight.data() + static_cast<std::size_t>(band) * kContextFeatures;
  base_ = weight[4] * lower_ + weight[5] * before_ + weight[6] * beside_;
}

std::array<std::int32_t, kContextFeatures> ContextTracker::FeaturesOf(int component) const {
  const auto at = static_cast<std::size_t>(component);
  std::uint32_t preceding = component > 0 ? 2U * row_[at - 1] : 0;
  if (component > 1) preceding += row_[at - 2];
  return {Log(around_[at + 1]),
          Log(neighbours_[at]),
          Log(preceding),
          Log(sum_),
          lower_,
          before_,
          beside_};
}

int ContextTracker::ContextOf(int component) const {
  const auto [around, neighbours, preceding, so_far, lower, before, beside] = FeaturesOf(component);
  const auto band = static_cast<std::size_t>(band_);
  const std::int16_t* weight = model_.weight.data() + band * kContextFeatures;
  const std::int32_t sum = base_ + weight[0] * around + weight[1] * neighbours +
                           weight[2] * preceding + weight[3] * so_far;
  return ContextAt(model_.offset[band * components_ + static_cast<std::size_t>(component)] +
                   (sum >> 6));
}

void ContextTracker::Add(int component, std::int32_t magnitude) {
  const auto seen =
      static_cast<std::uint16_t>(std::min(static_cast<std::uint32_t>(magnitude), kMostSeen));
  row_[component] = seen;
  sum_ += seen;
}

void ContextTracker::EndBand() {
  sums_[static_cast<std::size_t>(block_) * bands_ + static_cast<std::size_t>(band_)] = sum_;
}

CoefficientEncoder::CoefficientEncoder(const CoefficientModel& model, RangeEncoder& out)
    : model_(model), costs_(model), out_(out), magnitude_bits_(BitsOf(model)) {}

absl::Status CoefficientEncoder::Encode(std::span<const float> coefficients, int rows, int columns,
                                        float lambda) {
  const std::vector<int> all_active = PutActive(coefficients, rows * columns);
  ContextTracker tracker(model_, rows, columns);
  const auto components = static_cast<std::size_t>(model_.components);
  for (int block = 0; block < rows * columns; ++block) {
    for (int band = 0; band < model_.bands(); ++band) {
      const float* values = coefficients.data() + (static_cast<std::size_t>(block) *
                                                       static_cast<std::size_t>(model_.bands()) +
                                                   static_cast<std::size_t>(band)) *
                                                      components;
      const int active = all_active[static_cast<std::size_t>(band)];
      tracker.BeginBand(block, band, active);
      for (int i = 0; i < active; ++i) {
        const int context = tracker.ContextOf(i);
        const float size = std::abs(values[i]);
        if (size > static_cast<float>(kLargestMagnitude)) {
          return absl::OutOfRangeError(absl::StrCat(
              "found a coefficient of ", size, " steps, expected at most ", kLargestMagnitude));
        }
        const std::int32_t magnitude = BestMagnitude(costs_, context, size, lambda);
        Put(context, magnitude);
        if (magnitude > 0) out_.EncodeRaw(values[i] < 0 ? 1 : 0, 1);
        tracker.Add(i, magnitude);
      }
      tracker.EndBand();
    }
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
      large = std::any_of(values + active, values + components,
                          [](float value) { return std::abs(value) > kLeastLarge; });
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

absl::Status CoefficientDecoder::Decode(int rows, int columns, std::span<float> coefficients) {
  ContextTracker tracker(model_, rows, columns);
  const auto components = static_cast<std::size_t>(model_.components);
  std::fill(coefficients.begin(), coefficients.end(), 0.0F);
  std::vector<int> all_active = model_.active;
  for (int& active : all_active) {
    if (active < model_.components && in_.Decode(whole_band_)) active = model_.components;
  }
  for (int block = 0; block < rows * columns; ++block) {
    for (int band = 0; band < model_.bands(); ++band) {
      float* values = coefficients.data() +
                      (static_cast<std::size_t>(block) * static_cast<std::size_t>(model_.bands()) +
                       static_cast<std::size_t>(band)) *
                          components;
      const int active = all_active[static_cast<std::size_t>(band)];
      tracker.BeginBand(block, band, active);
      for (int i = 0; i < active; ++i) {
        const int context = tracker.ContextOf(i);
        const std::optional<std::int32_t> magnitude = Take(context);
        if (!magnitude) {
          return FieldError("magnitude", "one that is too large",
                            absl::StrCat("at most ", kLargestMagnitude));
        }
        tracker.Add(i, *magnitude);
        if (*magnitude == 0) continue;
        const bool negative = in_.DecodeRaw(1) != 0;
        const auto size = static_cast<float>(*magnitude);
        values[i] = negative ? -size : size;
      }
      tracker.EndBand();
    }
  }
  return absl::OkStatus();
}

std::optional<std::int32_t> CoefficientDecoder::Take(int context) {
  for (std::int32_t each = 0; each < kUnaryMagnitudes; ++each) {
    if (!in_.Decode(magnitude_bits_[BitIndex(context, each)])) return each;
  }
  int bits = 0;
  while (in_.DecodeRaw(1) != 0) {
    if (++bits > kMostEscapeBits) return std::nullopt;
  }
  const std::uint32_t rest = (std::uint32_t{1} << bits) + in_.DecodeRaw(bits);
  const auto magnitude = static_cast<std::int32_t>(rest) + kUnaryMagnitudes - 1;
  if (magnitude > kLargestMagnitude + 1) return std::nullopt;
  return magnitude;
}

}  // namespace cleave
