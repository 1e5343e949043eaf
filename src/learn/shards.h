#ifndef CLEAVE_LEARN_SHARDS_H_
#define CLEAVE_LEARN_SHARDS_H_

#include <cstddef>
#include <functional>

namespace cleave {

// Runs work(0) ... work(count - 1), at most `threads` at a time, each with LibTorch's operators on
// one thread. Exceptions come through when all are done.
void RunShards(std::size_t count, std::size_t threads,
               const std::function<void(std::size_t)>& work);

}  // namespace cleave

#endif  // CLEAVE_LEARN_SHARDS_H_
