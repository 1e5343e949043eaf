# Builds the program alone, as `make demo` does: without experiments, training and what reads videos, none of which the
# other tests build without. ccache knows most of it from the build of the tests.
cmake_minimum_required(VERSION 3.25)

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

# Beside the build tree, so that paths relative to it, and with them what ccache knows, are the same.
set(work ${BUILD_DIR}-program)
file(REMOVE_RECURSE ${work})
run(${CMAKE_COMMAND} -G Ninja -S ${SOURCE_DIR} -B ${work} -DCMAKE_BUILD_TYPE=${CONFIG} -DCLEAVE_EXPERIMENTS=OFF
    -DCLEAVE_LEARN=OFF -DCLEAVE_TESTS=OFF -DCLEAVE_BENCH=OFF -DCLEAVE_VIDEO=OFF -DCLEAVE_WERROR=${WERROR})
run(${CMAKE_COMMAND} --build ${work} --target cleave_cli)
run(${work}/bin/cleave --version)
execute_process(COMMAND ${work}/bin/cleave run ${MODEL} --input street.mp4 --json ERROR_VARIABLE error OUTPUT_QUIET
  RESULT_VARIABLE result)
if(result EQUAL 0 OR NOT error MATCHES "street.mp4: this build reads no videos")
  message(FATAL_ERROR "a build without videos: found ${result} and '${error}', expected that it says so")
endif()
