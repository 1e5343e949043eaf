#include "device/observe.h"

namespace cleave {

Observation Observe(const OwnState& own, const EdgeView& edge) {
  Observation observation;
  observation.batch = own.batch;
  observation.link = edge.link;
  observation.device_slowdown = own.slowdown;
  observation.edge_slowdown = edge.slowdown;
  observation.edge_queue_us = edge.queue_us;
  observation.edge_age_us = edge.queue_age_us;
  observation.uplink_wait_us = edge.uplink_wait_us;
  observation.data_left_bytes = edge.data_left_bytes;
  observation.edge_usable = edge.usable;
  observation.deadline_us = own.deadline_us;
  observation.recent = own.recent;
  return observation;
}

}  // namespace cleave
