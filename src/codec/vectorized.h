#ifndef CLEAVE_CODEC_VECTORIZED_H_
#define CLEAVE_CODEC_VECTORIZED_H_

// Internal to src/codec: the attributes of plain loops that the compiler vectorizes.

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

#endif  // CLEAVE_CODEC_VECTORIZED_H_
