#include "interruptible.h"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace cleave::python {
namespace {

constexpr std::chrono::milliseconds kSignalInterval(50);

// One piece of work, which its worker and whoever waits for it share.
struct Job {
  std::function<void()> work;
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::exception_ptr thrown;  // Memory that ran out, mostly; null: nothing was.
};

struct Worker {
  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<Job> job;
};

// Workers without work. It is never destroyed, since they outlive main().
struct IdleWorkers {
  std::mutex mutex;
  std::vector<Worker*> workers;
};

IdleWorkers* NewIdleWorkers();
IdleWorkers* idle = NewIdleWorkers();

IdleWorkers* NewIdleWorkers() {
  pthread_atfork([] { idle->mutex.lock(); }, [] { idle->mutex.unlock(); },
                 // Those of the parent are not in the child.
                 [] { idle = new IdleWorkers; });
  return new IdleWorkers;
}

void Run(Job& job) {
  {
    const WorkInFlight in_flight;
    try {
      job.work();
    } catch (...) {
      job.thrown = std::current_exception();
    }
    job.work = nullptr;
  }
  const std::lock_guard lock(job.mutex);
  job.done = true;
  job.changed.notify_all();
}

void WorkForever(Worker* worker) {
  while (true) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock lock(worker->mutex);
      worker->changed.wait(lock, [&] { return worker->job != nullptr; });
      job = std::move(worker->job);
    }
    Run(*job);
    job.reset();
    const std::lock_guard lock(idle->mutex);
    idle->workers.push_back(worker);
  }
}

void Give(std::shared_ptr<Job> job) {
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(idle->mutex);
    if (!idle->workers.empty()) {
      worker = idle->workers.back();
      idle->workers.pop_back();
    }
  }
  if (worker == nullptr) {
    worker = new Worker;
    std::thread(WorkForever, worker).detach();
  }
  const std::lock_guard lock(worker->mutex);
  worker->job = std::move(job);
  worker->changed.notify_all();
}

bool DoneWithin(Job& job, std::chrono::milliseconds patience) {
  const ReleasedGil released;
  std::unique_lock lock(job.mutex);
  return job.changed.wait_for(lock, patience, [&] { return job.done; });
}

}  // namespace

void WaitFor(std::function<void()> work) {
  // Python runs handlers of signals on the main thread alone.
  if (gettid() != getpid()) {
    const ReleasedGil released;
    work();
    return;
  }
  const auto job = std::make_shared<Job>();
  job->work = std::move(work);
  Give(job);
  while (!DoneWithin(*job, kSignalInterval)) {
    if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
  }
  if (job->thrown) std::rethrow_exception(job->thrown);
}

}  // namespace cleave::python
