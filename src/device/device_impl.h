#ifndef CLEAVE_DEVICE_DEVICE_IMPL_H_
#define CLEAVE_DEVICE_DEVICE_IMPL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "core/clock.h"
#include "device/edge_link.h"
#include "wire/client.h"

namespace cleave {

// What a device takes from outside, so that tests can replace it.
struct DeviceSurroundings {
  std::function<absl::StatusOr<std::unique_ptr<EdgeClient>>(const ClientOptions&)> connect =
      &EdgeClient::Create;
  const Clock* clock = &Clock::Steady();
  EdgeLink::Timing timing;
  std::int64_t wait_greeting_us = 3'500'000;  // The longest waits of Open.
  std::int64_t wait_profile_us = 1'000'000;
};

// Device::Open in these surroundings. The clock must outlive the device.
absl::StatusOr<std::unique_ptr<Device>> OpenDevice(const std::string& model_path,
                                                   DeviceOptions options,
                                                   const DeviceSurroundings& surroundings);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_DEVICE_IMPL_H_
