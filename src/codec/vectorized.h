#ifndef CLEAVE_CODEC_VECTORIZED_H_
#define CLEAVE_CODEC_VECTORIZED_H_

// Internal to src/codec: the attributes of plain loops that the compiler vectorizes.

#include <cstddef>
#include <cstring>

// GCC compiles the function once for each of these instruction sets and lets the loader choose. The
// choice is made before a sanitizer's runtime is ready, and clang 14 lacks the attribute.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CLEAVE_VECTORIZED __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define CLEAVE_VECTORIZED
#endif

// Such a function is inlined into each of these versions, so that it is compiled for the same
// instructions.
#define CLEAVE_INLINED inline __attribute__((always_inline))

namespace cleave {

// Floats that are computed at once, whatever the instructions can hold: for sums that have to stay
// in registers, where the compiler does not find that out by itself.
inline constexpr std::size_t kLanes = 16;
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));

CLEAVE_INLINED void Load(const float* from, Lanes& lanes) {
  std::memcpy(&lanes, from, sizeof(Lanes));
}
CLEAVE_INLINED void Store(const Lanes& lanes, float* to) { std::memcpy(to, &lanes, sizeof(Lanes)); }

}  // namespace cleave

#endif  // CLEAVE_CODEC_VECTORIZED_H_
