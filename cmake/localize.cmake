# Makes the static library OUTPUT of cargo's, INPUT: one object in which nothing can be seen but what the shared library
# LIBRARY exports. Cargo's own has all of Rust's standard library in sight, and cannot be linked beside another one of Rust.
# Run by `cmake -P`, with the tools LINKER, OBJCOPY, AR and NM. Does nothing if OUTPUT was made of the same INPUT.

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    file(REMOVE_RECURSE "${work}")
    message(FATAL_ERROR "${what} failed; GNU binutils do it (CMAKE_LINKER is ${LINKER}, CMAKE_OBJCOPY ${OBJCOPY}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(MD5 "${INPUT}" made_of)
file(MD5 "${CMAKE_CURRENT_LIST_FILE}" made_by)
set(record "${OUTPUT}.made-of")
if(EXISTS "${OUTPUT}" AND EXISTS "${record}")
  file(READ "${record}" former)
  if(former STREQUAL "${made_of} ${made_by}")
    return()
  endif()
endif()

set(work "${OUTPUT}.work")
file(MAKE_DIRECTORY "${work}")
run("listing ${LIBRARY}" "${NM}" -D --defined-only --format=posix "${LIBRARY}")
string(REGEX MATCHALL "[^\n]+" symbols "${output}")
list(TRANSFORM symbols REPLACE " .*" "")
list(TRANSFORM symbols PREPEND "--undefined=" OUTPUT_VARIABLE roots)
list(JOIN symbols "\n" symbols)
list(JOIN roots "\n" roots)
file(WRITE "${work}/symbols" "${symbols}\n")
file(WRITE "${work}/roots" "${roots}\n")

# Groups of sections, of which a linker keeps one for each name, are dissolved: ours are not another library's.
run("linking the objects of ${INPUT}" "${LINKER}" -r --force-group-allocation "@${work}/roots" -o "${work}/all.o" "${INPUT}")
# Bitcode is one for each former object, and makes no sense of several; debugging information is the standard library's alone.
run("hiding its symbols" "${OBJCOPY}" --strip-debug --remove-section=.llvmbc --remove-section=.llvmcmd
  "--keep-global-symbols=${work}/symbols" "${work}/all.o" "${work}/wasmrt.o")
file(REMOVE "${OUTPUT}")
run("making ${OUTPUT}" "${AR}" qc "${OUTPUT}" "${work}/wasmrt.o")
run("indexing ${OUTPUT}" "${AR}" s "${OUTPUT}")
file(REMOVE_RECURSE "${work}")
file(WRITE "${record}" "${made_of} ${made_by}")
