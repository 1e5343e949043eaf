# Finds ONNX Runtime and defines the imported target OnnxRuntime::OnnxRuntime.
#
# It searches in this order; the first place that has both library and header is used:
#   1. ONNXRUNTIME_ROOT (CMake variable or environment): a folder with include/ and lib/
#   2. the system's CMake package `onnxruntime`
#   3. the copy that tools/fetch_onnxruntime put under .deps/ (pinned by version and SHA-256)
# Sets OnnxRuntime_FOUND, OnnxRuntime_ORIGIN (root | system | fetched) and OnnxRuntime_LIBRARY.

if(NOT ONNXRUNTIME_ROOT AND DEFINED ENV{ONNXRUNTIME_ROOT})
  set(ONNXRUNTIME_ROOT "$ENV{ONNXRUNTIME_ROOT}")
endif()

set(_ort_origin "")
if(ONNXRUNTIME_ROOT)
  set(_ort_dir "${ONNXRUNTIME_ROOT}")
  set(_ort_origin root)
else()
  find_package(onnxruntime CONFIG QUIET)
  if(TARGET onnxruntime::onnxruntime)
    set(_ort_origin system)
  else()
    set(_ort_dir "${OnnxRuntime_FETCHED_DIR}")
    set(_ort_origin fetched)
  endif()
endif()

if(_ort_origin STREQUAL "system")
  if(NOT TARGET OnnxRuntime::OnnxRuntime)
    add_library(OnnxRuntime::OnnxRuntime INTERFACE IMPORTED)
    target_link_libraries(OnnxRuntime::OnnxRuntime INTERFACE onnxruntime::onnxruntime)
  endif()
  set(OnnxRuntime_LIBRARY onnxruntime::onnxruntime)
else()
  find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_cxx_api.h
    PATHS "${_ort_dir}/include" "${_ort_dir}/include/onnxruntime"
    NO_DEFAULT_PATH NO_CACHE NO_CMAKE_FIND_ROOT_PATH)
  find_file(OnnxRuntime_LIBRARY NAMES libonnxruntime.so libonnxruntime.so.1
    PATHS "${_ort_dir}/lib" NO_DEFAULT_PATH NO_CACHE NO_CMAKE_FIND_ROOT_PATH)
endif()

include(FindPackageHandleStandardArgs)
if(_ort_origin STREQUAL "system")
  find_package_handle_standard_args(OnnxRuntime REQUIRED_VARS OnnxRuntime_LIBRARY)
else()
  find_package_handle_standard_args(OnnxRuntime
    REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "looked in '${_ort_dir}' - run tools/fetch_onnxruntime, or set ONNXRUNTIME_ROOT")
  if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::OnnxRuntime)
    add_library(OnnxRuntime::OnnxRuntime SHARED IMPORTED)
    set_target_properties(OnnxRuntime::OnnxRuntime PROPERTIES
      IMPORTED_LOCATION "${OnnxRuntime_LIBRARY}"
      IMPORTED_SONAME libonnxruntime.so.1
      INTERFACE_INCLUDE_DIRECTORIES "${OnnxRuntime_INCLUDE_DIR}")
  endif()
endif()
set(OnnxRuntime_ORIGIN "${_ort_origin}")
