#include "core/in_parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "core/status_macros.h"

namespace cleave {

int UsualThreads() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 16);
}

absl::Status InParallel(std::size_t count, int threads,
                        const std::function<absl::Status(std::size_t)>& work) {
  std::vector<absl::Status> statuses(static_cast<std::size_t>(threads));
  std::atomic<std::size_t> next = 0;
  const auto run = [&](absl::Status& status) {
    for (std::size_t i = next++; i < count && status.ok(); i = next++) status = work(i);
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < statuses.size(); ++i) {
    others.emplace_back([&run, &status = statuses[i]] { run(status); });
  }
  run(statuses.front());
  for (std::thread& other : others) other.join();
  for (const absl::Status& status : statuses) CLEAVE_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

}  // namespace cleave
