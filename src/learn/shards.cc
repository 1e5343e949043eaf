#include "learn/shards.h"

#include <torch/torch.h>

#include <algorithm>
#include <future>
#include <vector>

namespace cleave {

void RunShards(std::size_t count, std::size_t threads,
               const std::function<void(std::size_t)>& work) {
  std::vector<std::future<void>> running;
  const std::size_t lanes = std::min(count, threads);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    running.push_back(std::async(std::launch::async, [&work, lane, lanes, count] {
      at::set_num_threads(1);  // Holds for this thread's operators.
      for (std::size_t shard = lane; shard < count; shard += lanes) work(shard);
    }));
  }
  for (std::future<void>& lane : running) lane.wait();  // All, before one's exception leaves.
  for (std::future<void>& lane : running) lane.get();
}

}  // namespace cleave
