#ifndef CLEAVE_BENCH_ENTROPY_CODERS_H_
#define CLEAVE_BENCH_ENTROPY_CODERS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cleave {

// A byte-oriented coder of a library at one setting. Not thread-safe.
struct EntropyCoder {
  std::string name;
  std::function<std::size_t(std::size_t size)> bound;
  // Returns how many bytes of `out` are used, which has bound(in.size()) of them; 0 if the library
  // refuses.
  std::function<std::size_t(absl::string_view in, std::string& out)> encode;
  // Returns whether it fills all of `out`.
  std::function<bool(absl::string_view in, std::string& out)> decode;
};

// Returns zstd's level 1 as EncodeTensor and DecodeTensor call it, with a context for each call.
EntropyCoder ZstdAlone();

// Returns zstd's levels 1 and 3 with contexts that are kept, and rANS.
std::vector<EntropyCoder> EntropyCoders();

// Returns the name and version of the library of rANS.
std::string EntropyCodersNote();

}  // namespace cleave

#endif  // CLEAVE_BENCH_ENTROPY_CODERS_H_
