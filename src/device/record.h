#ifndef CLEAVE_DEVICE_RECORD_H_
#define CLEAVE_DEVICE_RECORD_H_

#include <cstdint>

#include "cleave/device.h"
#include "device/inference.h"

namespace cleave {

// The record of an inference that ended at `end_us`: the one place where one is put together.
InferenceRecord AssembleRecord(const InferenceRequest& request, const Decided& decided,
                               const HeadRun& head, Answer answer, std::int64_t end_us);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_RECORD_H_
