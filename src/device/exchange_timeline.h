#ifndef CLEAVE_DEVICE_EXCHANGE_TIMELINE_H_
#define CLEAVE_DEVICE_EXCHANGE_TIMELINE_H_

#include <cstdint>

#include "cleave/device.h"
#include "link/estimator.h"
#include "wire/client.h"

namespace cleave {

// The phases, from encode on, of an exchange that took `took_us` in all, `made_us` of it for what
// was to be sent. What neither side reports is network time, parted into uplink and downlink by
// the estimate of the link.
Timeline ExchangeTimeline(const InferExchange& done, std::int64_t made_us, std::int64_t took_us,
                          const LinkEstimate& link);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_EXCHANGE_TIMELINE_H_
