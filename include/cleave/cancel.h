#ifndef CLEAVE_CANCEL_H_
#define CLEAVE_CANCEL_H_

#include <atomic>
#include <memory>

namespace cleave {

// Tells a long computation that nobody waits for it any more. Copies share one flag, which is never
// reset. Thread-safe.
class CancelToken {
 public:
  CancelToken() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  // Sets the flag. The work that looks at it ends soon after, with the status Cancelled.
  void Cancel() const { flag_->store(true, std::memory_order_relaxed); }
  bool cancelled() const { return flag_->load(std::memory_order_relaxed); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace cleave

#endif  // CLEAVE_CANCEL_H_
