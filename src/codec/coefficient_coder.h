#ifndef CLEAVE_CODEC_COEFFICIENT_CODER_H_
#define CLEAVE_CODEC_COEFFICIENT_CODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "codec/block_transform.h"
#include "codec/range_coder.h"

// Internal to src/codec and to what fits codecs: quantized coefficients as bits
// (docs/tensor-codec.md).

namespace cleave {

// Contexts, by the magnitude that is expected of a coefficient: from 2^-9 in steps of a quarter of
// an octave.
inline constexpr int kContexts = 48;
// Magnitudes from this on are escaped.
inline constexpr int kUnaryMagnitudes = 14;
// What the expectation is made of: the same component in the blocks around, its neighbours there,
// the two components before it, the band so far, the lower bands, the two bands before, and this
// band in the left and upper block.
inline constexpr int kContextFeatures = 7;
inline constexpr std::int32_t kLargestMagnitude = std::int32_t{1} << 24;

// The chance that all components of a band are coded, to begin with, in 1/65536.
inline constexpr std::uint16_t kWholeBandChance = 1024;

// The context of an expected magnitude, which is given by its log2 in 1/64.
int ContextAt(std::int32_t expectation);

// How the coefficients of one tensor are coded at one rate. Within a band components are in the
// order of their size, and usually only the first `active` of them are coded and the others are 0:
// an item where one of these is large says so and has all of the band coded. A plain value.
struct CoefficientModel {
  int components = 0;                // Of each band, coded or not.
  std::vector<int> active;           // By band, 0 to `components`.
  std::vector<std::int16_t> offset;  // [band][component]: log2 of the magnitude, in 1/64.
  std::vector<std::int16_t> weight;  // [band][feature], in 1/64.
  // [context][magnitude]: the chance that a magnitude is above this one where it is not below, in
  // 1/65536.
  std::vector<std::uint16_t> chance;

  int bands() const { return static_cast<int>(active.size()); }
  // InvalidArgument names the field that is missing, too large or out of range.
  absl::Status Validate() const;
};

// The bits that a magnitude takes in each context with its sign, as the encoder estimates them.
class MagnitudeCosts {
 public:
  explicit MagnitudeCosts(const CoefficientModel& model);
  float Bits(int context, std::int32_t magnitude) const {
    const auto at = magnitude < kColumns ? magnitude : kColumns - 1;
    return bits_[static_cast<std::size_t>(context) * kColumns + static_cast<std::size_t>(at)];
  }

 private:
  static constexpr int kColumns = kUnaryMagnitudes + 2;
  std::vector<float> bits_;
};

// The magnitude that a coefficient of this size (in steps) becomes: the one whose squared miss in
// steps and bits together, each bit worth `lambda`, cost least. REQUIRES: size is 0 to
// kLargestMagnitude.
std::int32_t BestMagnitude(const MagnitudeCosts& costs, int context, float size, float lambda);

// Follows the coefficients of one item in the order in which they are coded, and says the context
// of each. Thread-compatible.
class ContextTracker {
 public:
  ContextTracker(const CoefficientModel& model, int rows, int columns);

  // Blocks go row by row; in each, bands ascend, and in each components.
  // The band has `active` components that are coded.
  void BeginBand(int block, int band, int active);
  int ContextOf(int component) const {
    return ContextOfScaled(expectations_[static_cast<std::size_t>(component)] + recent_);
  }
  void Add(int component, std::int32_t magnitude) {
    if (magnitude != 0 || preceding_ != 0) AddOther(component, magnitude);
  }
  void EndBand() { sums_[place_] = sum_; }

  // What the expectation of a component is made of, as it is now.
  std::array<std::int32_t, kContextFeatures> FeaturesOf(int component) const;

 private:
  // Of an expectation in 1/64 of 1/64, which is above 0 where it is not that of the first context.
  static int ContextOfScaled(std::int32_t expectation) {
    const std::int32_t context = expectation >> 10;
    return context < 0 ? 0 : (context < kContexts ? context : kContexts - 1);
  }

  void AddOther(int component, std::int32_t magnitude);

  const CoefficientModel& model_;
  const std::size_t columns_;
  const std::size_t bands_;
  const std::size_t components_;
  std::vector<std::uint16_t> magnitudes_;     // [block][band][component], up to 1023.
  std::vector<std::uint32_t> sums_;           // [block][band].
  const std::vector<std::uint16_t> nothing_;  // A band beyond the edge.

  // The band at hand.
  std::size_t place_ = 0;  // [block][band].
  std::uint16_t* row_ = nullptr;
  const std::int16_t* weight_ = nullptr;
  std::int32_t lower_ = 0;  // The features that are the same for all of its components.
  std::int32_t before_ = 0;
  std::int32_t beside_ = 0;
  // By component, up to 1023.
  std::vector<std::uint16_t> around_;
  std::vector<std::uint16_t> neighbours_;
  std::vector<std::uint16_t> direct_;  // One more at either end.
  // By component: the expectation in 1/64 of 1/64 above the least, but for what follows.
  std::vector<std::int32_t> expectations_;
  std::uint32_t sum_ = 0;
  std::uint32_t preceding_ = 0;  // What the feature is the logarithm of.
  std::uint32_t last_ = 0;       // The magnitude before.
  std::int32_t recent_ = 0;      // What these add to the expectation.
};

// Quantizes the coefficients of one item by a step and codes them. Each becomes the level whose
// distance and bits together cost least: squared steps plus `lambda` for each bit.
class CoefficientEncoder {
 public:
  // `costs` are those of the model; both, and `out`, must outlive the encoder.
  CoefficientEncoder(const CoefficientModel& model, const MagnitudeCosts& costs, RangeEncoder& out);

  // Codes an item of rows x columns blocks; `coefficients` are [block][band][component], in steps.
  // OutOfRange where one is beyond kLargestMagnitude.
  absl::Status Encode(std::span<const float> coefficients, int rows, int columns, float lambda);

  // How many coefficients were escaped.
  std::int64_t escapes() const { return escapes_; }

 private:
  std::vector<int> PutActive(std::span<const float> coefficients, int blocks);
  absl::Status PutBand(std::span<const float> coefficients, float lambda, ContextTracker& tracker);
  void Put(int context, std::int32_t magnitude);

  const CoefficientModel& model_;
  const MagnitudeCosts& costs_;
  RangeEncoder& out_;
  std::vector<AdaptiveBit> magnitude_bits_;  // [context][magnitude].
  AdaptiveBit whole_band_{kWholeBandChance};
  std::vector<std::int32_t> nearest_;  // By component of the band at hand.
  std::int64_t escapes_ = 0;
};

// Decodes what CoefficientEncoder coded.
class CoefficientDecoder {
 public:
  using TakeRow = std::function<void(int row, std::span<const float> coefficients)>;

  CoefficientDecoder(const CoefficientModel& model, RangeDecoder& in);

  // Decodes an item of rows x columns blocks, and calls `take` with each row of blocks: its number
  // and its coefficients [block][band][component], in steps; those that are not coded are 0.
  // InvalidArgument for a magnitude that is too large.
  absl::Status Decode(int rows, int columns, const TakeRow& take);

 private:
  absl::Status DecodeBand(ContextTracker& tracker, int active, float* values);

  const CoefficientModel& model_;
  RangeDecoder& in_;
  std::vector<AdaptiveBit> magnitude_bits_;
  AdaptiveBit whole_band_{kWholeBandChance};
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_COEFFICIENT_CODER_H_
