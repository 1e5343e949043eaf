# Every outside library is found here, once. Each is linked by one folder of src/ only.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_path(BOOST_INCLUDE_DIR boost/math/distributions/binomial.hpp REQUIRED)
find_path(JPEG_INCLUDE_DIR jpeglib.h REQUIRED)
find_path(PNG_INCLUDE_DIR png.h REQUIRED)
find_path(WEBP_INCLUDE_DIR webp/demux.h REQUIRED)
find_path(ZSTD_INCLUDE_DIR zstd.h REQUIRED)
find_path(LIBDEFLATE_INCLUDE_DIR libdeflate.h REQUIRED)
find_path(HTSCODECS_INCLUDE_DIR htscodecs/rANS_static4x16.h REQUIRED)

if(CLEAVE_CLI)
  find_package(spdlog REQUIRED)
  find_package(Eigen3 REQUIRED NO_MODULE)
  find_package(CLI11 REQUIRED)
  find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
  find_path(ZMQ_INCLUDE_DIR zmq.h REQUIRED)
  find_library(ZMQ_LIBRARY zmq REQUIRED)
  # Debian builds it as a library; what it was built with says its pkg-config file.
  pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
  # Its own CMake package looks for the web server that the parts left out here use.
  find_path(PROMETHEUS_INCLUDE_DIR prometheus/registry.h REQUIRED)
  find_library(PROMETHEUS_LIBRARY prometheus-cpp-core REQUIRED)
endif()
if(CLEAVE_EXPERIMENTS)
  find_path(AVIF_INCLUDE_DIR avif/avif.h REQUIRED)
endif()

# Debian's libonnx has the generated onnx.proto; its own CMake package drags in the whole of ONNX.
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
# CMake leaves folders inside the project out of a program's search path.
if(NOT OnnxRuntime_ORIGIN STREQUAL "system")
  get_filename_component(CMAKE_INSTALL_RPATH ${OnnxRuntime_LIBRARY} DIRECTORY)
endif()

# LibTorch's own CMake package drags in Caffe2's, with gflags, glog and Python's headers.
if(CLEAVE_LEARN)
  find_path(TORCH_INCLUDE_DIR torch/script.h)
  find_path(TORCH_API_INCLUDE_DIR torch/torch.h PATH_SUFFIXES torch/csrc/api/include)
  find_library(TORCH_LIBRARY torch)
  find_library(TORCH_CPU_LIBRARY torch_cpu)
  find_library(C10_LIBRARY c10)
  if(NOT (TORCH_INCLUDE_DIR AND TORCH_API_INCLUDE_DIR AND TORCH_LIBRARY AND TORCH_CPU_LIBRARY AND C10_LIBRARY))
    message(FATAL_ERROR "CLEAVE_LEARN is ON, but there is no LibTorch: install libtorch-dev, or say -DCLEAVE_LEARN=OFF")
  endif()
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIR} ${TORCH_API_INCLUDE_DIR})
  # These are linked whatever the linker thinks is needed, since the operators register themselves.
  target_link_libraries(LibTorch::LibTorch INTERFACE -Wl,--no-as-needed "${TORCH_LIBRARY}" "${TORCH_CPU_LIBRARY}"
    "${C10_LIBRARY}" -Wl,--as-needed)
endif()

# ThreadSanitizer does not see the locks of a library that was not built for it.
if(CLEAVE_SANITIZER STREQUAL "thread")
  add_library(cleave_tsan_mutex OBJECT cmake/tsan_absl_mutex.cc)
  target_link_libraries(cleave_tsan_mutex PRIVATE absl::synchronization)
  link_libraries(absl::synchronization $<BUILD_INTERFACE:$<TARGET_OBJECTS:cleave_tsan_mutex>>)
endif()
