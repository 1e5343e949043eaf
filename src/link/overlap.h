#ifndef CLEAVE_LINK_OVERLAP_H_
#define CLEAVE_LINK_OVERLAP_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "link/estimator.h"

namespace cleave {

// Makes samples for the estimator of exchanges that may overlap. A request that shares the link
// with others takes longer than one alone, which says nothing bad of the link: what it tells is the
// time by which it left the uplink after the one before it, and that is the time of its bytes.
// docs/estimation.md has the equations. Thread-compatible: callers lock.
class OverlappingTransfers {
 public:
  // One exchange that ended with an answer.
  struct Exchange {
    double bytes_up = 0;
    double bytes_down = 0;
    std::int64_t sent_us = 0;      // By the clock of `now_us`,
    std::int64_t answered_us = 0;  // as well.
    double edge_us = 0;            // What the edge took of the time between.
  };

  // A request of so many bytes is handed over. Returns its number for the next two.
  std::int64_t Begin(double bytes_up, std::int64_t now_us);

  // Its answer has come. Returns what can be told now, by the present estimate: a sample counts
  // once every request that was sent before its own has ended. It may be empty, and it may tell of
  // earlier exchanges. Of one that began while no other was under way, it is the sample with the
  // whole time. A number that is not under way is ignored.
  std::vector<TransferSample> End(std::int64_t number, const Exchange& exchange,
                                  const LinkEstimate& link);

  // It ended without an answer, so that nobody knows when the link was free of it. Returns what can
  // be told now of others.
  std::vector<TransferSample> Abandon(std::int64_t number, const LinkEstimate& link,
                                      std::int64_t now_us);

  // How long a request that is handed over now is predicted to wait until those before it have left
  // the uplink.
  double UplinkWaitUs(const LinkEstimate& link, std::int64_t now_us) const;

 private:
  // A request under way, or one that waits for those before it to be told of.
  struct Transfer {
    std::int64_t number = 0;
    double bytes_up = 0;
    std::int64_t begun_us = 0;
    bool beside_others = false;  // Another was under way when it began.
    std::optional<Exchange> done;
    std::optional<std::int64_t> abandoned_us;
    // Its answer came right after another's, for which it had to wait.
    std::optional<TransferSample> downlink;
    bool ended() const { return done || abandoned_us; }
  };

  Transfer* Find(std::int64_t number);
  void AddInOrder(const LinkEstimate& link, std::vector<TransferSample>& samples);
  std::optional<TransferSample> SampleOf(const Transfer& transfer, const LinkEstimate& link);

  std::deque<Transfer> transfers_;  // In the order in which they were sent.
  std::int64_t next_number_ = 0;
  // When the last of those that are no longer in the list had left the uplink.
  double left_us_ = 0;
  // What was sent before then tells nothing, since the link was not seen to be free.
  double unknown_until_us_ = 0;
  std::optional<Exchange> last_answer_;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_OVERLAP_H_
