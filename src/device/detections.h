#ifndef CLEAVE_DEVICE_DETECTIONS_H_
#define CLEAVE_DEVICE_DETECTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "cleave/tensor.h"
#include "detect/detection_query.h"
#include "device/inference.h"
#include "device/local_model.h"

namespace cleave {

// A detector's outputs become detections where they come out: at the edge, which then answers with
// a few rows, or on the device. Both round them alike (detect/detections_tensor.h), so the answer
// does not tell where it was made.

// How a model makes detections, where the options ask for them and it is a detector. Errors are
// those of FindHead.
absl::StatusOr<std::optional<DetectionQuery>> FindDetections(const std::string& model_path,
                                                             const LocalModel& model,
                                                             const DeviceOptions::Answers& answers);

// The last of the exit's candidate cuts whose tail makes all the outputs that the query needs;
// nothing where the exit lacks one of them.
std::optional<int> LastDetectingCut(const ExitModel& exit, const DetectionQuery& query);

// What an edge is asked for at this cut of the exit; nothing where it has to answer with outputs.
std::optional<DetectionQuery> QueryAt(const LocalModel& model, const LocalExit& exit, int cut,
                                      const InputShapes& shapes);

// Whether an edge has answered with detections.
bool HoldsDetections(const LocalExit& exit, const std::vector<NamedTensor>& outputs);

// Checks the detections of an edge, which is not trusted, for a batch of this size. DataLoss says
// what was found and what was expected.
absl::StatusOr<std::vector<NamedTensor>> CheckedDetections(const std::vector<NamedTensor>& outputs,
                                                           std::int64_t batch);

// The same answer with detections in place of a detector's outputs; answers of exits that make none
// stay as they are. Errors are those of DetectionQuery::Answer.
absl::StatusOr<Answer> WithDetections(const LocalModel& model, const InferenceRequest& request,
                                      Answer answer);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_DETECTIONS_H_
