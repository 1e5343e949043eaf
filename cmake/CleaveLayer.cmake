# cleave_layer(NAME [NOT_INSTALLED] [SOURCES ...] [DEPS ...]): one folder of src/, a static library
# cleave_NAME that sees include/ and src/. DEPS names layers below and the outside libraries that only
# it knows. NOT_INSTALLED: only our own programs link it.
function(cleave_layer name)
  cmake_parse_arguments(arg "NOT_INSTALLED" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(cleave_${name} STATIC ${arg_SOURCES})
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

# cleave_test(NAME LAYER... [LABEL unit|property|e2e]): tests/<path>/<name>_test.cc, registered test by test.
function(cleave_test path)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "DEPS;SOURCES" ${ARGN})
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  string(REPLACE "/" "_" target "${path}_test")
  add_executable(${target} ${path}_test.cc ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${arg_DEPS} cleave_warnings GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${target} TEST_PREFIX "${path}." DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()
