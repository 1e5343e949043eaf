# Every outside library, found once. Each is linked by one folder of src/ only.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_path(STB_INCLUDE_DIR stb/stb_image.h REQUIRED)
find_path(ZSTD_INCLUDE_DIR zstd.h REQUIRED)
find_path(LIBDEFLATE_INCLUDE_DIR libdeflate.h REQUIRED)

# Debian's libonnx carries the generated onnx.proto; its own CMake package drags in the whole of ONNX.
find_path(ONNX_INCLUDE_DIR onnx/onnx_pb.h REQUIRED)
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
add_library(onnx_proto SHARED IMPORTED)
set_target_properties(onnx_proto PROPERTIES
  IMPORTED_LOCATION "${ONNX_PROTO_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${ONNX_INCLUDE_DIR}"
  INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
  INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(CLEAVE_ORT_ARCH arm64)
else()
  set(CLEAVE_ORT_ARCH x64)
endif()
set(OnnxRuntime_FETCHED_DIR "${CMAKE_CURRENT_SOURCE_DIR}/.deps/onnxruntime-${CLEAVE_ORT_ARCH}")
find_package(OnnxRuntime REQUIRED)

# ThreadSanitizer does not see the locks of a library that was not built for it.
if(CLEAVE_SANITIZER STREQUAL "thread")
  add_library(cleave_tsan_mutex OBJECT cmake/tsan_absl_mutex.cc)
  target_link_libraries(cleave_tsan_mutex PRIVATE absl::synchronization)
  link_libraries(absl::synchronization $<BUILD_INTERFACE:$<TARGET_OBJECTS:cleave_tsan_mutex>>)
endif()
