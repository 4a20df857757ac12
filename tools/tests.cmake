# Tests, benchmarks and fuzz targets: one program a file. Included by CMakeLists.txt.

# How a test starts the command: itself, or through the emulator of a cross build.
set(MICA_PROGRAM ${CMAKE_BINARY_DIR}/mica)
if(CMAKE_CROSSCOMPILING_EMULATOR)
  set(MICA_PROGRAM ${CMAKE_BINARY_DIR}/mica-emulated)
  string(REPLACE ";" "' '" emulator "${CMAKE_CROSSCOMPILING_EMULATOR}")
  file(WRITE ${MICA_PROGRAM} "#!/bin/sh\nexec '${emulator}' '${CMAKE_BINARY_DIR}/mica' \"$@\"\n")
  file(CHMOD ${MICA_PROGRAM} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
endif()

# tests/<folder>/test_<x>.c -> program test_<folder>_<x>, test <folder>_<x>
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
file(GLOB TESTS CONFIGURE_DEPENDS tests/*/test_*.c)
foreach(file ${TESTS})
  get_filename_component(name ${file} NAME_WE)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  string(REGEX REPLACE "^test_" "${folder}_" program ${name})
  add_executable(test_${program} ${file})
  target_include_directories(test_${program} PRIVATE tests)
  target_compile_definitions(test_${program} PRIVATE TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data"
                             SOURCE_DIR="${CMAKE_SOURCE_DIR}" MICA_COMMAND="${MICA_PROGRAM}")
  target_link_libraries(test_${program} PRIVATE mica_static PkgConfig::CMOCKA)
  add_test(NAME ${program} COMMAND test_${program})
  set_tests_properties(${program} PROPERTIES TIMEOUT 600)
endforeach()

# tests/e2e/<x>.sh -> test e2e_<x>: runs $MICA and prints lines "ok NAME", "not ok NAME", "skip NAME"
file(GLOB SCRIPTS CONFIGURE_DEPENDS tests/e2e/*.sh)
foreach(file ${SCRIPTS})
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME e2e_${name} COMMAND sh ${file})
  set_tests_properties(e2e_${name} PROPERTIES TIMEOUT 600 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                       ENVIRONMENT "MICA=${MICA_PROGRAM};BUILD=${CMAKE_BINARY_DIR}")
endforeach()

# bench/bench_<x>.c -> program bench_<x> (bench_make_<x>: a tool that writes what a benchmark reads)
file(GLOB BENCHES CONFIGURE_DEPENDS bench/bench_*.c)
foreach(file ${BENCHES})
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE mica_static)
endforeach()

# fuzz/fuzz_<x>.c -> program fuzz_<x>: under libFuzzer, or replaying the seeds of fuzz/corpus/<x> as a test
file(GLOB FUZZERS CONFIGURE_DEPENDS fuzz/fuzz_*.c)
foreach(file ${FUZZERS})
  get_filename_component(name ${file} NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" target ${name})
  if(MICA_FUZZ)
    add_executable(${name} ${file})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${file} fuzz/replay.c)
    set(seeds ${CMAKE_SOURCE_DIR}/fuzz/corpus/${target})
    if(NOT EXISTS ${seeds})
      set(seeds)
    endif()
    add_test(NAME ${name} COMMAND ${name} ${seeds})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600)
  endif()
  target_link_libraries(${name} PRIVATE mica_static)
endforeach()
