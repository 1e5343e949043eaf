#include "link/overlap.h"

#include <algorithm>

namespace cleave {
namespace {

// Answers that take less than this share of the time in question hold up others by nothing that
// matters.
constexpr double kNegligible = 0.05;
// An answer that comes so much later after another than its own bytes take had to wait for it.
constexpr double kRightAfter = 1.2;

double NetworkUs(const OverlappingTransfers::Exchange& exchange) {
  return std::max(0.0,
                  static_cast<double>(exchange.answered_us - exchange.sent_us) - exchange.edge_us);
}

double DownUs(const OverlappingTransfers::Exchange& exchange, const LinkEstimate& link) {
  return exchange.bytes_down * link.down_us_per_byte.mean;
}

// Nothing where the answer had the downlink for itself.
std::optional<TransferSample> DownlinkSample(const OverlappingTransfers::Exchange& before,
                                             const OverlappingTransfers::Exchange& exchange,
                                             const LinkEstimate& link) {
  const double gap_us = static_cast<double>(exchange.answered_us - before.answered_us);
  const double down_us = DownUs(exchange, link);
  const double waited_us = DownUs(before, link);
  if (gap_us <= 0 || gap_us > kRightAfter * down_us) return std::nullopt;
  if (waited_us <= kNegligible * NetworkUs(exchange)) return std::nullopt;
  return TransferSample{0, exchange.bytes_down, gap_us, 0};
}

}  // namespace

std::int64_t OverlappingTransfers::Begin(double bytes_up, std::int64_t now_us) {
  transfers_.push_back(
      {.number = next_number_,
       .bytes_up = bytes_up,
       .begun_us = now_us,
       .beside_others = std::any_of(transfers_.begin(), transfers_.end(),
                                    [](const Transfer& transfer) { return !transfer.ended(); })});
  return next_number_++;
}

OverlappingTransfers::Transfer* OverlappingTransfers::Find(std::int64_t number) {
  const auto found =
      std::find_if(transfers_.begin(), transfers_.end(), [number](const Transfer& transfer) {
        return transfer.number == number && !transfer.ended();
      });
  return found == transfers_.end() ? nullptr : &*found;
}

std::vector<TransferSample> OverlappingTransfers::End(std::int64_t number, const Exchange& exchange,
                                                      const LinkEstimate& link) {
  std::vector<TransferSample> samples;
  Transfer* transfer = Find(number);
  if (transfer == nullptr) return samples;
  transfer->done = exchange;
  if (last_answer_ && last_answer_->answered_us > exchange.sent_us) {
    transfer->downlink = DownlinkSample(*last_answer_, exchange, link);
  }
  last_answer_ = exchange;
  AddInOrder(link, samples);
  return samples;
}

std::vector<TransferSample> OverlappingTransfers::Abandon(std::int64_t number,
                                                          const LinkEstimate& link,
                                                          std::int64_t now_us) {
  std::vector<TransferSample> samples;
  Transfer* transfer = Find(number);
  if (transfer == nullptr) return samples;
  transfer->abandoned_us = now_us;
  AddInOrder(link, samples);
  return samples;
}

void OverlappingTransfers::AddInOrder(const LinkEstimate& link,
                                      std::vector<TransferSample>& samples) {
  while (!transfers_.empty() && transfers_.front().ended()) {
    const Transfer& transfer = transfers_.front();
    if (transfer.abandoned_us) {
      unknown_until_us_ = std::max(unknown_until_us_, static_cast<double>(*transfer.abandoned_us));
    } else if (const auto sample = SampleOf(transfer, link)) {
      samples.push_back(*sample);
    }
    transfers_.pop_front();
  }
}

std::optional<TransferSample> OverlappingTransfers::SampleOf(const Transfer& transfer,
                                                             const LinkEstimate& link) {
  const Exchange& exchange = *transfer.done;
  const auto sent_us = static_cast<double>(exchange.sent_us);
  const double before_us = left_us_;
  if (transfer.downlink) {
    left_us_ = std::max(sent_us, before_us) + exchange.bytes_up * link.up_us_per_byte.mean;
    return transfer.downlink;
  }
  // All but the way up, which ends here, is the round trip and the way down.
  left_us_ = sent_us + NetworkUs(exchange) - link.rtt_us.mean - DownUs(exchange, link);
  if (!transfer.beside_others || sent_us >= std::max(before_us, unknown_until_us_)) {
    return TransferSample{exchange.bytes_up, exchange.bytes_down, NetworkUs(exchange)};
  }
  if (sent_us < unknown_until_us_) return std::nullopt;
  const double bytes_us = left_us_ - before_us;
  // One that passed another on the way tells nothing.
  if (bytes_us <= 0) {
    left_us_ = before_us;
    return std::nullopt;
  }
  return TransferSample{exchange.bytes_up, 0, bytes_us, 0};
}

double OverlappingTransfers::UplinkWaitUs(const LinkEstimate& link, std::int64_t now_us) const {
  double free_us = left_us_;
  for (const Transfer& transfer : transfers_) {
    if (transfer.abandoned_us) continue;
    free_us = std::max(free_us, static_cast<double>(transfer.begun_us)) +
              transfer.bytes_up * link.up_us_per_byte.mean;
  }
  return std::max(0.0, free_us - static_cast<double>(now_us));
}

}  // namespace cleave
