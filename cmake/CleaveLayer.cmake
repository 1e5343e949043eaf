# These functions define a layer of src/ and its tests.

# Sets `out` to the layers of cmake/layers.txt that this configuration builds, lowest first.
function(cleave_layers out)
  file(STRINGS ${PROJECT_SOURCE_DIR}/cmake/layers.txt lines REGEX "^[a-z]")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/layers.txt)
  set(layers)
  foreach(line ${lines})
    separate_arguments(words UNIX_COMMAND "${line}")
    list(GET words 0 layer)
    list(LENGTH words count)
    set(built ON)
    if(count GREATER 1)
      list(GET words 1 option)
      set(built ${${option}})
    endif()
    if(built)
      list(APPEND layers ${layer})
    endif()
  endforeach()
  set(${out} ${layers} PARENT_SCOPE)
endfunction()

# cleave_layer(NAME [NOT_INSTALLED] [DEPS ...] [PRIVATE_DEPS ...]) builds every .cc file of this
# folder and of those below it as the static library cleave_NAME, which sees include/ and src/. DEPS
# names layers below and outside libraries. NOT_INSTALLED is for libraries that only our own
# programs link.
function(cleave_layer name)
  cmake_parse_arguments(arg "NOT_INSTALLED" "" "DEPS;PRIVATE_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc)
  add_library(cleave_${name} STATIC ${sources})
  target_include_directories(cleave_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(cleave_${name} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS}
    $<BUILD_INTERFACE:cleave_warnings>)
  set_target_properties(cleave_${name} PROPERTIES EXPORT_NAME ${name})
  if(NOT arg_NOT_INSTALLED)
    install(TARGETS cleave_${name} EXPORT cleave ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endfunction()

# cleave_tests(NAME [TESTS FILE...] [LABEL unit|property|e2e] [TIMEOUT SECONDS] [DEPS ...]
#              [SOURCES ...]) builds the program NAME_test from the files FILE_test.cc below this
# folder, so that a layer is linked once and not for each file. Without TESTS it takes all files
# that no earlier call in this folder took. Each test is registered by itself as NAME.SUITE.TEST.
#
# Tests may use CLEAVE_MODELS_DIR (models/), CLEAVE_DATA_DIR (traces and CIFAR-10),
# CLEAVE_SOURCE_DIR, and, if the program `cleave` is built, CLEAVE_PROGRAM.
function(cleave_tests name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT;FIXTURE" "TESTS;DEPS;SOURCES" ${ARGN})
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  get_property(taken DIRECTORY PROPERTY cleave_taken_tests)
  if(NOT arg_TESTS)
    file(GLOB_RECURSE files RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS *_test.cc)
    foreach(file ${files})
      string(REGEX REPLACE "_test\\.cc$" "" test ${file})
      if(NOT test IN_LIST taken)
        list(APPEND arg_TESTS ${test})
      endif()
    endforeach()
  endif()
  set_property(DIRECTORY APPEND PROPERTY cleave_taken_tests ${arg_TESTS})
  list(TRANSFORM arg_TESTS APPEND _test.cc OUTPUT_VARIABLE files)
  set(target ${name}_test)
  add_executable(${target} ${files} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE CLEAVE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    CLEAVE_MODELS_DIR="${PROJECT_SOURCE_DIR}/models" CLEAVE_DATA_DIR="${CLEAVE_DATA_DIR}")
  if(TARGET cleave_cli)
    target_compile_definitions(${target} PRIVATE CLEAVE_PROGRAM="$<TARGET_FILE:cleave_cli>")
    add_dependencies(${target} cleave_cli)
  endif()
  target_link_libraries(${target} PRIVATE ${arg_DEPS} cleave_warnings GTest::gmock GTest::gtest_main)
  # Most of a test's time to compile goes into parsing GoogleTest and into optimizing what runs once.
  target_precompile_headers(${target} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  set(properties LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
  if(arg_FIXTURE)
    list(APPEND properties FIXTURES_REQUIRED ${arg_FIXTURE})
  endif()
  gtest_discover_tests(${target} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST PROPERTIES ${properties})
endfunction()
