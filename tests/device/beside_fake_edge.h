#ifndef CLEAVE_TESTS_DEVICE_BESIDE_FAKE_EDGE_H_
#define CLEAVE_TESTS_DEVICE_BESIDE_FAKE_EDGE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "cleave/device.h"
#include "device/device_impl.h"
#include "device/fake_edge.h"
#include "model/graph.h"

namespace cleave::testing {

// Surroundings in which every edge is a FakeEdge of this model that does as the script says. The
// script must outlive the device.
inline DeviceSurroundings BesideFakeEdge(std::shared_ptr<const Graph> graph,
                                         FakeEdgeScript& script) {
  DeviceSurroundings surroundings;
  surroundings.connect = [graph = std::move(graph), &script](
                             const ClientOptions&) -> absl::StatusOr<std::unique_ptr<EdgeClient>> {
    return std::make_unique<FakeEdge>(graph, script);
  };
  return surroundings;
}

// Opens a device in such surroundings; an error fails the test.
inline std::unique_ptr<Device> OpenBesideFakeEdge(const std::string& model_path,
                                                  const DeviceOptions& options,
                                                  const DeviceSurroundings& surroundings) {
  auto device = OpenDevice(model_path, options, surroundings);
  EXPECT_TRUE(device.ok()) << device.status();
  return *std::move(device);
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_DEVICE_BESIDE_FAKE_EDGE_H_
