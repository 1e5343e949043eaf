#ifndef CLEAVE_DEVICE_ACCOUNT_H_
#define CLEAVE_DEVICE_ACCOUNT_H_

#include <cstdint>

#include "cleave/device.h"
#include "link/estimator.h"
#include "wire/client.h"

namespace cleave {

// Enters an exchange that took `took_us` in all, `made_us` of it for what was to be sent, into the
// record: bytes, and the phases from encode on. What neither side reports is network time, parted
// into uplink and downlink by the estimate.
void AccountExchange(const InferExchange& done, std::int64_t made_us, std::int64_t took_us,
                     const LinkEstimate& link, InferenceRecord& record);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_ACCOUNT_H_
