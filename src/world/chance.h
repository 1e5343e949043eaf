#ifndef CLEAVE_WORLD_CHANCE_H_
#define CLEAVE_WORLD_CHANCE_H_

#include <cmath>
#include <cstdint>
#include <numbers>

namespace cleave::world {

// Whether the times of runs and round trips are drawn, or each takes its median.
enum class Jitter : std::uint8_t { kDrawn, kMedian };

// Random numbers by place rather than by turn: what is drawn depends on seed, stream and index
// alone, so that two runs that ask at different times, or not at all, meet the same world. A value
// type. (SplitMix64's finalizer, Steele et al. 2014, of the three.)
class Chance {
 public:
  Chance(std::uint64_t seed, std::uint64_t stream) : key_(Mix(seed ^ Mix(stream + kStep))) {}

  // Returns a number that is uniform in (0, 1).
  double Uniform(std::int64_t index) const {
    const std::uint64_t bits = Mix(key_ + kStep * static_cast<std::uint64_t>(index)) >> 12;
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
  }
  // Returns a normal number of mean 0 and variance 1, of an index that no other call of this stream
  // uses.
  double Normal(std::int64_t index) const {
    const double radius = std::sqrt(-2 * std::log(Uniform(2 * index)));
    return radius * std::cos(2 * std::numbers::pi * Uniform(2 * index + 1));
  }
  // Returns an exponential number of mean 1.
  double Exponential(std::int64_t index) const { return -std::log(Uniform(index)); }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;

  static std::uint64_t Mix(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    return bits ^ (bits >> 31);
  }

  std::uint64_t key_;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_CHANCE_H_
