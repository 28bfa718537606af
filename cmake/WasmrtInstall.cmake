# `cmake --install`: headers, both libraries, wasmrt.pc and the CMake package; command/CMakeLists.txt adds the program.
# Nothing in it names the prefix, so an installed tree may be moved.
include(CMakePackageConfigHelpers)

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/wasmrt")
set(pkgconfig_directory "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# A prefix relative to the .pc file itself, unless the packager asked for absolute directories.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pkgconfig_prefix "${CMAKE_INSTALL_PREFIX}")
  set(pkgconfig_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(pkgconfig_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  file(RELATIVE_PATH up "/${pkgconfig_directory}" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pkgconfig_prefix "\${pcfiledir}/${up}")
  set(pkgconfig_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pkgconfig_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
list(TRANSFORM wasmrt_system_libraries PREPEND "-l" OUTPUT_VARIABLE pkgconfig_private)
list(JOIN pkgconfig_private " " pkgconfig_private)
configure_file(cmake/wasmrt.pc.in "${PROJECT_BINARY_DIR}/wasmrt.pc" @ONLY)

configure_package_config_file(cmake/wasmrtConfig.cmake.in "${PROJECT_BINARY_DIR}/wasmrtConfig.cmake"
  INSTALL_DESTINATION "${package_directory}"
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
# Before 1.0 a minor version may break what the one before it had.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/wasmrtConfigVersion.cmake" COMPATIBILITY SameMinorVersion)

install(FILES
  "${wasmrt_header_directory}/wasm.h"
  "${wasmrt_header_directory}/wasmrt.h"
  "${wasmrt_header_directory}/wasm.hh"
  "${wasmrt_header_directory}/wasmrt.hh"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES
  "${wasmrt_library_directory}/${wasmrt_shared_file}"
  "${wasmrt_library_directory}/${wasmrt_soname}"
  "${wasmrt_library_directory}/libwasmrt.so"
  "${wasmrt_library_directory}/libwasmrt.a"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES "${PROJECT_BINARY_DIR}/wasmrt.pc" DESTINATION "${pkgconfig_directory}")
install(FILES "${PROJECT_BINARY_DIR}/wasmrtConfig.cmake" "${PROJECT_BINARY_DIR}/wasmrtConfigVersion.cmake"
  DESTINATION "${package_directory}")
# The second has the licences of what the library contains.
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/THIRD-PARTY.txt" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
