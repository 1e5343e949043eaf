#ifndef CLEAVE_DEVICE_EDGE_VIEW_H_
#define CLEAVE_DEVICE_EDGE_VIEW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "device/plan_table.h"
#include "link/estimator.h"

namespace cleave {

// The edge and the link to it as the device knows them at one moment.
struct EdgeView {
  bool usable = false;  // Whether a request could be sent.
  std::string problem;  // Why none could; empty where one could.
  LinkEstimate link;
  Estimate slowdown{1, 0};  // The edge's time over that of its profile (or the stand-in).
  double queue_us = 0;      // The wait that it last reported, aged.
  std::int64_t queue_age_us = 0;
  double uplink_wait_us = 0;  // Until the device's own requests under way have left the uplink.
  std::optional<double> data_left_bytes;   // Of the data budget, where there is one.
  std::shared_ptr<const EdgeOffer> offer;  // Null before the first successful greeting.
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_EDGE_VIEW_H_
