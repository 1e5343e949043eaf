#include "device/exchange_timeline.h"

#include <algorithm>
#include <cmath>

namespace cleave {

Timeline ExchangeTimeline(const InferExchange& done, std::int64_t made_us, std::int64_t took_us,
                          const LinkEstimate& link) {
  const Exchange& exchange = done.exchange;
  Timeline timeline;
  timeline.encode_us = made_us + exchange.serialize_us;
  timeline.queue_us = done.reply.queue_us;
  timeline.tail_us = done.reply.decode_us + done.reply.compute_us;
  const std::int64_t network_us = std::max<std::int64_t>(
      0, took_us - timeline.encode_us - timeline.queue_us - timeline.tail_us);
  const double down_us =
      link.rtt_us.mean / 2 + static_cast<double>(exchange.bytes_down) * link.down_us_per_byte.mean;
  timeline.downlink_us =
      std::llround(std::min(static_cast<double>(network_us), std::max(0.0, down_us)));
  timeline.uplink_us = network_us - timeline.downlink_us;
  return timeline;
}

}  // namespace cleave
