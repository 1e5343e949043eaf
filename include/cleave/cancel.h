#ifndef CLEAVE_CANCEL_H_
#define CLEAVE_CANCEL_H_

#include <atomic>
#include <memory>
#include <utility>

namespace cleave {

// Tells a long computation that nobody waits for it any more. Copies share one flag, which is never
// reset. Thread-safe.
class CancelToken {
 public:
  CancelToken() : CancelToken(std::shared_ptr<const Flag>()) {}
  // Returns a token of its own that counts as set, too, once `parent` is.
  static CancelToken Under(const CancelToken& parent) { return CancelToken(parent.flag_); }

  // Sets the flag. The work that looks at it ends soon after, with the status Cancelled.
  void Cancel() const { flag_->set.store(true, std::memory_order_relaxed); }
  bool cancelled() const {
    for (const Flag* flag = flag_.get(); flag != nullptr; flag = flag->parent.get()) {
      if (flag->set.load(std::memory_order_relaxed)) return true;
    }
    return false;
  }

 private:
  struct Flag {
    explicit Flag(std::shared_ptr<const Flag> above) : parent(std::move(above)) {}
    std::atomic<bool> set = false;
    const std::shared_ptr<const Flag> parent;
  };

  explicit CancelToken(std::shared_ptr<const Flag> parent)
      : flag_(std::make_shared<Flag>(std::move(parent))) {}

  std::shared_ptr<Flag> flag_;
};

}  // namespace cleave

#endif  // CLEAVE_CANCEL_H_
