# The library itself: cargo builds it, its files are copied into the build tree under the names they are installed with,
# and the two imported targets stand for them.

set(wasmrt_soname libwasmrt.so.${PROJECT_VERSION_MAJOR}) # build.rs gives the library the same
set(wasmrt_shared_file libwasmrt.so.${PROJECT_VERSION})
set(wasmrt_library_directory "${PROJECT_BINARY_DIR}/lib")
set(wasmrt_header_directory "${PROJECT_SOURCE_DIR}/include")
# What the static library needs of the system. libgcc's unwinder is not named: every compiler driver adds the right one.
set(wasmrt_system_libraries pthread dl m)

list(JOIN WASMRT_BACKENDS "," features)
set(cargo_output "${WASMRT_CARGO_TARGET_DIR}/release")

# cargo knows best what is out of date, so it is always asked. The copies keep their time stamps when nothing changed;
# they also keep this tree's choice of engines when cargo is run by hand with another. The static one is no copy: what it
# has inside stays inside, see localize.cmake.
add_custom_target(wasmrt-cargo ALL
  COMMAND "${WASMRT_CARGO}" build --release --locked --lib --no-default-features --features "${features}"
    --manifest-path "${PROJECT_SOURCE_DIR}/Cargo.toml" --target-dir "${WASMRT_CARGO_TARGET_DIR}"
  COMMAND "${CMAKE_COMMAND}" -E make_directory "${wasmrt_library_directory}"
  COMMAND "${CMAKE_COMMAND}" -E copy_if_different
    "${cargo_output}/libwasmrt.so" "${wasmrt_library_directory}/${wasmrt_shared_file}"
  COMMAND "${CMAKE_COMMAND}"
    "-DINPUT=${cargo_output}/libwasmrt.a" "-DOUTPUT=${wasmrt_library_directory}/libwasmrt.a"
    "-DLIBRARY=${wasmrt_library_directory}/${wasmrt_shared_file}"
    "-DLINKER=${CMAKE_LINKER}" "-DOBJCOPY=${CMAKE_OBJCOPY}" "-DAR=${CMAKE_AR}" "-DNM=${CMAKE_NM}"
    -P "${PROJECT_SOURCE_DIR}/cmake/localize.cmake"
  COMMAND "${CMAKE_COMMAND}" -E create_symlink ${wasmrt_shared_file} "${wasmrt_library_directory}/${wasmrt_soname}"
  COMMAND "${CMAKE_COMMAND}" -E create_symlink ${wasmrt_soname} "${wasmrt_library_directory}/libwasmrt.so"
  BYPRODUCTS
    "${wasmrt_library_directory}/${wasmrt_shared_file}"
    "${wasmrt_library_directory}/${wasmrt_soname}"
    "${wasmrt_library_directory}/libwasmrt.so"
    "${wasmrt_library_directory}/libwasmrt.a"
  COMMENT "Building libwasmrt with ${features}"
  USES_TERMINAL VERBATIM)

add_library(wasmrt::wasmrt SHARED IMPORTED GLOBAL)
set_target_properties(wasmrt::wasmrt PROPERTIES
  IMPORTED_LOCATION "${wasmrt_library_directory}/${wasmrt_shared_file}"
  IMPORTED_SONAME ${wasmrt_soname}
  INTERFACE_INCLUDE_DIRECTORIES "${wasmrt_header_directory}")
add_dependencies(wasmrt::wasmrt wasmrt-cargo)

add_library(wasmrt::wasmrt-static STATIC IMPORTED GLOBAL)
set_target_properties(wasmrt::wasmrt-static PROPERTIES
  IMPORTED_LOCATION "${wasmrt_library_directory}/libwasmrt.a"
  INTERFACE_LINK_LIBRARIES "${wasmrt_system_libraries}"
  INTERFACE_INCLUDE_DIRECTORIES "${wasmrt_header_directory}")
add_dependencies(wasmrt::wasmrt-static wasmrt-cargo)
