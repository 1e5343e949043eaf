# This file says what `cmake --install` puts where, so that another project can say
# find_package(cleave).
include(CMakePackageConfigHelpers)
set(cleave_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cleave)

install(DIRECTORY include/cleave DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(programs)
if(CLEAVE_CLI)
  list(APPEND programs cleave_cli)
endif()
if(CLEAVE_CLI AND CLEAVE_LEARN)
  list(APPEND programs cleave_train)
endif()
if(programs)
  install(TARGETS ${programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS cleave_proto EXPORT cleave ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT cleave NAMESPACE cleave:: FILE cleaveTargets.cmake DESTINATION ${cleave_package_dir})

# A fetched ONNX Runtime belongs to no package of the system, so it is installed too; the program
# finds it relative to itself.
if(OnnxRuntime_ORIGIN STREQUAL "fetched")
  # A link would then point to itself, so its target is taken.
  file(REAL_PATH ${OnnxRuntime_LIBRARY} library)
  install(FILES ${library} DESTINATION ${CMAKE_INSTALL_LIBDIR}/cleave RENAME libonnxruntime.so.1)
  file(RELATIVE_PATH to_library ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR}/cleave)
  foreach(program ${programs})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/${to_library}")
  endforeach()
  # The same path leads there in the build tree.
  cmake_path(SET in_build NORMALIZE "${PROJECT_BINARY_DIR}/bin/${to_library}")
  file(MAKE_DIRECTORY ${in_build})
  file(CREATE_LINK ${library} ${in_build}/libonnxruntime.so.1 SYMBOLIC)
endif()

configure_package_config_file(cmake/cleaveConfig.cmake.in cleaveConfig.cmake INSTALL_DESTINATION ${cleave_package_dir})
write_basic_package_version_file(cleaveConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cleaveConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/cleaveConfigVersion.cmake
  DESTINATION ${cleave_package_dir})
