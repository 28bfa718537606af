# Runs vcpkg's portfile, PORTFILE, with functions in the place of vcpkg's own, which look at what they are given, and prints the
# options for CMake. Run by `cmake -P` with FEATURES, VCPKG_LIBRARY_LINKAGE, and CURRENT_PACKAGES_DIR for what is "installed".
cmake_minimum_required(VERSION 3.22)
set(PORT wasmrt)
set(CURRENT_BUILDTREES_DIR "${CURRENT_PACKAGES_DIR}/buildtrees")

# The arguments of the calling function, whose keywords have these kinds; others are an error.
macro(arguments single multiple)
  cmake_parse_arguments(PARSE_ARGV 0 arg "AUTO_CLEAN" "${single}" "${multiple}")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${CMAKE_CURRENT_FUNCTION} has no ${arg_UNPARSED_ARGUMENTS}")
  endif()
endmacro()

function(need)
  foreach(file IN LISTS ARGN)
    if(NOT EXISTS "${file}")
      message(FATAL_ERROR "there is no ${file}")
    endif()
  endforeach()
endfunction()

function(vcpkg_check_features)
  arguments("OUT_FEATURE_OPTIONS" "FEATURES")
  set(options "")
  while(arg_FEATURES)
    list(POP_FRONT arg_FEATURES feature option)
    set(on OFF)
    if(feature IN_LIST FEATURES)
      set(on ON)
    endif()
    list(APPEND options -D${option}=${on})
  endwhile()
  set(${arg_OUT_FEATURE_OPTIONS} "${options}" PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  arguments("SOURCE_PATH" "OPTIONS")
  need("${arg_SOURCE_PATH}/CMakeLists.txt")
  foreach(option IN LISTS arg_OPTIONS)
    message(STATUS "option ${option}")
  endforeach()
endfunction()

function(vcpkg_cmake_install)
  foreach(file IN ITEMS lib/libwasmrt.a lib/libwasmrt.so lib/libwasmrt.so.0.1 lib/cmake/wasmrt/wasmrtConfig.cmake share/doc/x)
    file(WRITE "${CURRENT_PACKAGES_DIR}/${file}" "")
  endforeach()
endfunction()

function(vcpkg_cmake_config_fixup)
  arguments("CONFIG_PATH" "")
  need("${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}")
endfunction()

function(vcpkg_fixup_pkgconfig)
endfunction()

function(vcpkg_copy_tools)
  arguments("" "TOOL_NAMES")
endfunction()

function(vcpkg_install_copyright)
  arguments("" "FILE_LIST")
  need(${arg_FILE_LIST})
endfunction()

include("${PORTFILE}")
