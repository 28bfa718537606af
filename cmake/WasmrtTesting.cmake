# How examples and C tests become programs and ctest tests: one program each, one test for each engine in it.
# Exit status 77 means skipped everywhere: something from outside (a tool, a download) is not there.
include(CheckCSourceCompiles)
find_package(Threads REQUIRED)
find_package(Python3 3.7 REQUIRED COMPONENTS Interpreter)

set(wasmrt_warnings -Wall -Wextra -Wpedantic -Werror)
set(wasmrt_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
set(wasmrt_run_example "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/scripts/run-example")

if(WASMRT_BUILD_TESTS)
  find_program(WASMRT_VALGRIND valgrind DOC "Runs the C tests a third time when it is there")
  set(CMAKE_REQUIRED_FLAGS "-fsanitize=address,undefined")
  check_c_source_compiles("int main(void) { return 0; }" WASMRT_HAS_SANITIZERS)
  unset(CMAKE_REQUIRED_FLAGS)
  # It has to link, too: on Debian that takes the packages clang, lld, wasi-libc and libclang-rt-dev-wasm32.
  find_program(WASMRT_WASI_CLANG clang DOC "A clang that compiles for wasm32-wasi")
  set(wasmrt_has_wasi_clang OFF)
  if(WASMRT_WASI_CLANG)
    set(probe "${PROJECT_BINARY_DIR}/wasi-clang")
    file(WRITE "${probe}.c" "int main(void) { return 0; }\n")
    execute_process(COMMAND "${WASMRT_WASI_CLANG}" --target=wasm32-wasi "${probe}.c" -o "${probe}.wasm"
      RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(NOT failed)
      set(wasmrt_has_wasi_clang ON)
    endif()
  endif()
endif()

# wasmrt_executable(TARGET SOURCE DIRECTORY NAME): a program linked with the shared library, at DIRECTORY/NAME
function(wasmrt_executable target source directory name)
  add_executable(${target} "${source}")
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY "${directory}"
    C_STANDARD 11
    C_STANDARD_REQUIRED ON
    CXX_STANDARD 11
    CXX_STANDARD_REQUIRED ON
    CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -g ${wasmrt_warnings})
  target_link_libraries(${target} PRIVATE wasmrt::wasmrt Threads::Threads)
endfunction()

# wasmrt_skipped_test(NAME LABEL MESSAGE): a test that says what is missing
function(wasmrt_skipped_test name label message)
  add_test(NAME ${name} COMMAND sh -c "echo \"$0\"; exit 77" "${message}")
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77)
endfunction()

# wasmrt_fetch(NAME DIRECTORY LABEL): the target fetch-NAME and the test fetch-NAME, which get what `scripts/fetch NAME`
# fetches into DIRECTORY. The test is skipped and the target does nothing where a registry cannot be reached. Tests that use
# the files require the fixture NAME, and must skip themselves if there are none.
function(wasmrt_fetch name directory label)
  set(fetch "${CMAKE_COMMAND}" -E env "CARGO=${WASMRT_CARGO}"
    "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/scripts/fetch" ${name} "${directory}")
  # For a reader, who needs one line only
  add_custom_target(fetch-${name} COMMAND sh -c "\"$@\" 2>/dev/null || test $? -eq 77" sh ${fetch} VERBATIM)
  if(WASMRT_BUILD_TESTS)
    add_test(NAME fetch-${name} COMMAND ${fetch})
    set_tests_properties(fetch-${name} PROPERTIES
      LABELS ${label} TIMEOUT 600 SKIP_RETURN_CODE 77 FIXTURES_SETUP ${name})
  endif()
endfunction()

if(WASMRT_BUILD_EXAMPLES)
  add_custom_target(wasmrt-examples) # all of them, without the tests
endif()

# wasmrt_add_example(NAME [SOURCE file] [TEST suffix] [ARGUMENTS argument...] [EXPECTED file] [EXIT_STATUS number])
#
# Builds SOURCE, by default NAME.c, as examples/NAME and adds the test example-NAME[-suffix]-BACKEND for each engine: standard output must
# equal EXPECTED, by default expected/NAME[-suffix].txt; a file called NAME[-suffix]-BACKEND.txt beside it takes its
# place for that engine, and NAME[-suffix]-BACKEND-alone.txt where the library has no other. The program runs in the
# folder of its source. Call it again with another TEST for more runs of the same program. The first call also adds the target run-NAME, which runs the program on each engine for a reader.
function(wasmrt_add_example name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE;TEST;EXPECTED;EXIT_STATUS" "ARGUMENTS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "wasmrt_add_example(${name}): unknown ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_SOURCE)
    set(arg_SOURCE ${name}.c)
  endif()
  if(NOT DEFINED arg_EXIT_STATUS)
    set(arg_EXIT_STATUS 0)
  endif()
  set(run ${name})
  if(arg_TEST)
    string(APPEND run "-${arg_TEST}")
  endif()
  if(NOT arg_EXPECTED)
    set(arg_EXPECTED "expected/${run}.txt")
  endif()
  get_filename_component(expected "${arg_EXPECTED}" ABSOLUTE)

  if(NOT TARGET example_${name})
    wasmrt_executable(example_${name} ${arg_SOURCE} "${PROJECT_BINARY_DIR}/examples" ${name})
    add_dependencies(wasmrt-examples example_${name})
    set(commands)
    foreach(backend IN LISTS WASMRT_BACKENDS)
      list(APPEND commands
        COMMAND "${CMAKE_COMMAND}" -E env WASMRT_BACKEND=${backend} ${wasmrt_run_example}
          --title "${name} on ${backend}" --exit-status ${arg_EXIT_STATUS}
          -- $<TARGET_FILE:example_${name}> ${arg_ARGUMENTS})
    endforeach()
    add_custom_target(run-${name} ${commands}
      DEPENDS example_${name} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" USES_TERMINAL VERBATIM)
  endif()

  if(WASMRT_BUILD_TESTS)
    list(LENGTH WASMRT_BACKENDS backends)
    foreach(backend IN LISTS WASMRT_BACKENDS)
      string(REGEX REPLACE "(\\.[^./]*)$" "-${backend}\\1" own_expected "${expected}")
      string(REGEX REPLACE "(\\.[^./]*)$" "-alone\\1" alone_expected "${own_expected}")
      if(backends EQUAL 1 AND EXISTS "${alone_expected}")
        set(own_expected "${alone_expected}")
      elseif(NOT EXISTS "${own_expected}")
        set(own_expected "${expected}")
      endif()
      add_test(NAME example-${run}-${backend}
        COMMAND ${wasmrt_run_example} --expected "${own_expected}" --exit-status ${arg_EXIT_STATUS}
          -- $<TARGET_FILE:example_${name}> ${arg_ARGUMENTS}
        WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
      set_tests_properties(example-${run}-${backend} PROPERTIES
        ENVIRONMENT WASMRT_BACKEND=${backend} LABELS example TIMEOUT 120 SKIP_RETURN_CODE 77)
    endforeach()
  endif()
endfunction()

# wasmrt_add_c_test(NAME [SOURCE file] [LABEL label] [TIMEOUT seconds] [NO_VALGRIND] [NO_ASAN])
#
# Builds SOURCE, by default NAME.c, and adds, for each engine, the tests NAME-BACKEND, asan-NAME-BACKEND
# (AddressSanitizer with leak detection and UndefinedBehaviorSanitizer) and valgrind-NAME-BACKEND. TIMEOUT (default 120)
# is for the plain run; the others get ten times as much. What is suppressed is in tests/c/valgrind.supp. LABEL (default
# c) is that of the plain runs; the global property wasmrt_LABEL_tests has all targets of a label. NO_VALGRIND is for
# tests that do the same thing very often or overflow the stack on purpose, NO_ASAN for those that do to the process what
# the sanitizers do to it, too: allocators, signals, limits.
function(wasmrt_add_c_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_VALGRIND;NO_ASAN" "SOURCE;LABEL;TIMEOUT" "")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "wasmrt_add_c_test(${name}): unknown ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_SOURCE)
    set(arg_SOURCE ${name}.c)
  endif()
  if(NOT arg_LABEL)
    set(arg_LABEL c)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  math(EXPR long_timeout "10 * ${arg_TIMEOUT}")

  wasmrt_executable(c_${name} ${arg_SOURCE} "${PROJECT_BINARY_DIR}/tests" ${name})
  # lazy binding lets the check `every-function-called` see which functions a run really calls
  target_link_options(c_${name} PRIVATE -Wl,-z,lazy)
  set_property(GLOBAL APPEND PROPERTY wasmrt_${arg_LABEL}_tests c_${name})
  set(with_sanitizers OFF)
  if(WASMRT_HAS_SANITIZERS AND NOT arg_NO_ASAN)
    set(with_sanitizers ON)
    wasmrt_executable(asan_${name} ${arg_SOURCE} "${PROJECT_BINARY_DIR}/tests/asan" ${name})
    target_compile_options(asan_${name} PRIVATE ${wasmrt_sanitizers})
    target_link_options(asan_${name} PRIVATE ${wasmrt_sanitizers})
  endif()

  foreach(backend IN LISTS WASMRT_BACKENDS)
    add_test(NAME ${name}-${backend} COMMAND c_${name})
    set_tests_properties(${name}-${backend} PROPERTIES
      ENVIRONMENT WASMRT_BACKEND=${backend} LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
    if(with_sanitizers)
      wasmrt_add_asan_test(${name}-${backend} asan_${name})
      set_tests_properties(asan-${name}-${backend} PROPERTIES TIMEOUT ${long_timeout} SKIP_RETURN_CODE 77)
      set_property(TEST asan-${name}-${backend} APPEND PROPERTY ENVIRONMENT WASMRT_BACKEND=${backend})
    endif()
    if(WASMRT_VALGRIND AND NOT arg_NO_VALGRIND)
      wasmrt_add_valgrind_test(${name}-${backend} c_${name})
      set_tests_properties(valgrind-${name}-${backend} PROPERTIES TIMEOUT ${long_timeout} SKIP_RETURN_CODE 77)
      set_property(TEST valgrind-${name}-${backend} APPEND PROPERTY ENVIRONMENT WASMRT_BACKEND=${backend})
    endif()
  endforeach()
endfunction()

# wasmrt_add_asan_test(NAME TARGET): the test asan-NAME, which runs a program built with the sanitizers
function(wasmrt_add_asan_test name target)
  add_test(NAME asan-${name} COMMAND ${target})
  set_property(GLOBAL APPEND PROPERTY wasmrt_asan_programs ${target})
  # An engine installs its own handler for SIGSEGV, on its own signal stack, to turn faults in wasm into traps, and
  # hands all other faults on: both have to be allowed. Tests ask for impossible sizes, which malloc answers with NULL.
  set_property(TEST asan-${name} PROPERTY LABELS asan)
  set_property(TEST asan-${name} PROPERTY ENVIRONMENT
    "ASAN_OPTIONS=detect_leaks=1:allow_user_segv_handler=1:use_sigaltstack=0:allocator_may_return_null=1"
    "UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# wasmrt_add_valgrind_test(NAME TARGET): the test valgrind-NAME
function(wasmrt_add_valgrind_test name target)
  set(suppressions)
  if(EXISTS "${PROJECT_SOURCE_DIR}/tests/c/valgrind.supp")
    set(suppressions "--suppressions=${PROJECT_SOURCE_DIR}/tests/c/valgrind.supp")
  endif()
  add_test(NAME valgrind-${name}
    COMMAND "${WASMRT_VALGRIND}" --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
      --show-leak-kinds=definite ${suppressions} $<TARGET_FILE:${target}>)
  set_tests_properties(valgrind-${name} PROPERTIES LABELS valgrind)
endfunction()

if(WASMRT_BUILD_TESTS AND NOT WASMRT_HAS_SANITIZERS)
  wasmrt_skipped_test(asan asan "the C compiler cannot link with -fsanitize=address,undefined: those runs are skipped")
endif()
if(WASMRT_BUILD_TESTS AND NOT WASMRT_VALGRIND)
  wasmrt_skipped_test(valgrind valgrind "valgrind is not installed: its runs of the C tests are skipped")
endif()
