# The sources are the checkout around this port.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
  FEATURES
    tools WASMRT_BUILD_COMMAND)
set(engines "")
foreach(engine IN ITEMS wasmtime wasmi)
  if(engine IN_LIST FEATURES)
    list(APPEND engines ${engine})
  endif()
endforeach()
if(engines STREQUAL "")
  message(FATAL_ERROR "wasmrt needs an engine: the feature wasmtime, wasmi or both")
endif()

# cargo's profile is the same for programs that are debugged.
set(VCPKG_BUILD_TYPE release)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    ${FEATURE_OPTIONS}
    "-DWASMRT_BACKENDS=${engines}"
    "-DWASMRT_CARGO_TARGET_DIR=${CURRENT_BUILDTREES_DIR}/target"
    -DWASMRT_BUILD_EXAMPLES=OFF
    -DWASMRT_BUILD_TESTS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/wasmrt)
vcpkg_fixup_pkgconfig()
if("tools" IN_LIST FEATURES)
  vcpkg_copy_tools(TOOL_NAMES wasmrt AUTO_CLEAN)
endif()

if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
  file(GLOB other "${CURRENT_PACKAGES_DIR}/lib/libwasmrt.so*")
else()
  set(other "${CURRENT_PACKAGES_DIR}/lib/libwasmrt.a")
endif()
file(REMOVE ${other})
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/doc" "${CURRENT_PACKAGES_DIR}/share/man")

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/THIRD-PARTY.txt")
