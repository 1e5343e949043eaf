# These settings hold for every file of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CLEAVE_CCACHE ccache)
if(CLEAVE_CCACHE)
  # Relative paths, so that another checkout hits what this one compiled; the sloppiness is what ccache asks for
  # with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
    CCACHE_SLOPPINESS=pch_defines,time_macros ${CLEAVE_CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

# These flags are for our own code; generated protobuf code does not compile with them.
add_library(cleave_warnings INTERFACE)
target_compile_options(cleave_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Wno-missing-field-initializers
  # GCC 12 gives false alarms on string concatenation (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Werror=thread-safety>
  $<$<BOOL:${CLEAVE_WERROR}>:-Werror>)

# These flags make a memory error harder to exploit, in every file and program
# (tests/install/hardening_test.py checks it).
include(CheckPIESupported)
check_pie_supported()
add_compile_options(-fstack-protector-strong)
add_link_options(-Wl,-z,relro,-z,now)
# Fortification needs optimization, and the sanitizers intercept the functions that it would
# replace.
if(NOT CLEAVE_SANITIZER)
  add_compile_options($<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

# Programs are linked with the search path that they keep: a path that CMake means to rewrite at
# installation ends in an empty entry, and the loader takes that for the current directory.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

# This is enough for speed and for line numbers in reports; more doubles the time of compilation.
if(CLEAVE_SANITIZER)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
endif()
if(CLEAVE_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined -fno-sanitize=vptr)
elseif(CLEAVE_SANITIZER STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(CLEAVE_SANITIZER)
  message(FATAL_ERROR "CLEAVE_SANITIZER is '${CLEAVE_SANITIZER}', expected address or thread")
endif()
if(CLEAVE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
