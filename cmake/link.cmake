# Links the shared library OUTPUT out of the static one, INPUT, with the versions of symbols in MAP and the name SONAME. The
# one that cargo links has no versions: rustc has a version script of its own, with which linkers combine no other.
# Run by `cmake -P`, with the compiler driver COMPILER, FLAGS for it, and SYSTEM_LIBRARIES. Does nothing if OUTPUT is up to date.

if(EXISTS "${OUTPUT}" AND NOT "${INPUT}" IS_NEWER_THAN "${OUTPUT}" AND NOT "${MAP}" IS_NEWER_THAN "${OUTPUT}"
    AND NOT "${CMAKE_CURRENT_LIST_FILE}" IS_NEWER_THAN "${OUTPUT}")
  return()
endif()

separate_arguments(flags UNIX_COMMAND "${FLAGS}")
list(TRANSFORM SYSTEM_LIBRARIES PREPEND "-l")
# Besides the names what rustc asks for, too: read-only relocations, no executable stack, nothing that is not reachable. The
# library stays loaded, since engines install signal handlers and start threads.
execute_process(
  COMMAND "${COMPILER}" -shared -o "${OUTPUT}.new" ${flags}
    "-Wl,--version-script=${MAP}" "-Wl,-soname,${SONAME}" -Wl,-z,nodelete
    -Wl,-z,relro,-z,now,-z,noexecstack -Wl,-O1,--gc-sections,--as-needed,--no-undefined
    -Wl,--whole-archive "${INPUT}" -Wl,--no-whole-archive ${SYSTEM_LIBRARIES}
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  file(REMOVE "${OUTPUT}.new")
  message(FATAL_ERROR "${COMPILER} cannot link ${OUTPUT}:\n${output}")
endif()
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
