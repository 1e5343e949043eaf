#ifndef CLEAVE_RECORDER_FRIGATE_SERVER_H_
#define CLEAVE_RECORDER_FRIGATE_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "recorder/frigate.h"
#include "recorder/picture_finder.h"
#include "recorder/zmq_server.h"

namespace cleave::recorder {

struct FrigateServerOptions {
  ZmqServerOptions zmq;
  PixelOrder order = PixelOrder::kRgb;
  std::string model;  // The name of the model's file, which Frigate's configuration has to name.
  // Called for what cannot be served, from any thread: clients take it for an empty picture.
  std::function<void(const absl::Status&)> on_refused;
};

// Serves Frigate's detector plugin "zmq" (recorder/frigate.h). `finder` has to outlive the server.
// Errors are those of ZmqServer::Start.
absl::StatusOr<std::unique_ptr<ZmqServer>> StartFrigateServer(const FrigateServerOptions& options,
                                                              PictureFinder& finder);

}  // namespace cleave::recorder

#endif  // CLEAVE_RECORDER_FRIGATE_SERVER_H_
