# The library itself: cargo builds it, both libraries are made from its objects in the build tree under the names they are
# installed with, and the two imported targets stand for them.

# The number of the ABI, which programs are linked with: see docs/abi.md. build.rs has the same.
set(wasmrt_abi_version ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(wasmrt_soname libwasmrt.so.${wasmrt_abi_version})
set(wasmrt_shared_file libwasmrt.so.${PROJECT_VERSION})
set(wasmrt_library_directory "${PROJECT_BINARY_DIR}/lib")
set(wasmrt_header_directory "${PROJECT_SOURCE_DIR}/include")
# What the static library needs of the system. libgcc's unwinder is not named: every compiler driver adds the right one.
set(wasmrt_system_libraries pthread dl m)

set(features ${WASMRT_BACKENDS})
if(WASMRT_LOADED_ENGINES)
  list(APPEND features loaded)
endif()
list(JOIN features "," features)
string(REGEX REPLACE "^dev$" "debug" profile_directory "${WASMRT_CARGO_PROFILE}") # the one profile that cargo calls otherwise
set(cargo_output "${WASMRT_CARGO_TARGET_DIR}/${profile_directory}")
set(wasmrt_version_script "${PROJECT_SOURCE_DIR}/abi/libwasmrt.map")

# cargo knows best what is out of date, so it is always asked. What is made of its output is made anew only when that
# changed; it keeps this tree's choice of engines when cargo is run by hand with another. In the static library what is
# inside stays inside (localize.cmake); the shared one has versions of symbols (link.cmake).
# Packages with C in them would be built anew for each date, which they have nothing of.
add_custom_target(wasmrt-cargo ALL
  COMMAND "${CMAKE_COMMAND}" -E env --unset=SOURCE_DATE_EPOCH ${wasmrt_cargo}
    build --profile "${WASMRT_CARGO_PROFILE}" --locked --lib --no-default-features --features "${features}"
    --manifest-path "${PROJECT_SOURCE_DIR}/Cargo.toml" --target-dir "${WASMRT_CARGO_TARGET_DIR}"
  COMMAND "${CMAKE_COMMAND}" -E make_directory "${wasmrt_library_directory}"
  COMMAND "${CMAKE_COMMAND}"
    "-DINPUT=${cargo_output}/libwasmrt.a" "-DOUTPUT=${wasmrt_library_directory}/libwasmrt.a"
    "-DLIBRARY=${cargo_output}/libwasmrt.so"
    "-DLINKER=${CMAKE_LINKER}" "-DOBJCOPY=${CMAKE_OBJCOPY}" "-DAR=${CMAKE_AR}" "-DNM=${CMAKE_NM}"
    -P "${PROJECT_SOURCE_DIR}/cmake/localize.cmake"
  COMMAND "${CMAKE_COMMAND}"
    "-DINPUT=${wasmrt_library_directory}/libwasmrt.a" "-DOUTPUT=${wasmrt_library_directory}/${wasmrt_shared_file}"
    "-DMAP=${wasmrt_version_script}" "-DSONAME=${wasmrt_soname}" "-DSYSTEM_LIBRARIES=${wasmrt_system_libraries}"
    "-DCOMPILER=${CMAKE_C_COMPILER}" "-DFLAGS=${CMAKE_SHARED_LINKER_FLAGS}"
    -P "${PROJECT_SOURCE_DIR}/cmake/link.cmake"
  COMMAND "${CMAKE_COMMAND}" -E create_symlink ${wasmrt_shared_file} "${wasmrt_library_directory}/${wasmrt_soname}"
  COMMAND "${CMAKE_COMMAND}" -E create_symlink ${wasmrt_soname} "${wasmrt_library_directory}/libwasmrt.so"
  BYPRODUCTS
    "${wasmrt_library_directory}/${wasmrt_shared_file}"
    "${wasmrt_library_directory}/${wasmrt_soname}"
    "${wasmrt_library_directory}/libwasmrt.so"
    "${wasmrt_library_directory}/libwasmrt.a"
  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" # where cargo finds .cargo/config.toml
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
