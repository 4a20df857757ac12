# Tests, benchmarks and fuzz targets: one program a file. Included by CMakeLists.txt.

# Where tests find the programs: the build folder, or in a cross build a folder of scripts that start the emulator.
set(PROGRAMS ${CMAKE_BINARY_DIR})
if(CMAKE_CROSSCOMPILING_EMULATOR)
  set(PROGRAMS ${CMAKE_BINARY_DIR}/emulated)
endif()
function(emulated name)
  if(CMAKE_CROSSCOMPILING_EMULATOR)
    string(REPLACE ";" "' '" emulator "${CMAKE_CROSSCOMPILING_EMULATOR}")
    # -0: the program sees the name that it was started under
    file(WRITE ${PROGRAMS}/${name} "#!/bin/sh\nexec '${emulator}' -0 \"$0\" '${CMAKE_BINARY_DIR}/${name}' \"$@\"\n")
    file(CHMOD ${PROGRAMS}/${name} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
endfunction()
emulated(mica)

# tests/<folder>/test_<x>.c -> program test_<folder>_<x>, test <folder>_<x>
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
file(GLOB TESTS CONFIGURE_DEPENDS tests/*/test_*.c)
if(NOT ABI STREQUAL "MLX_C_ABI_0_6_0_PLUS_4") # which those of the C interface are written for
  list(FILTER TESTS EXCLUDE REGEX "/tests/api/")
endif()
foreach(file ${TESTS})
  get_filename_component(name ${file} NAME_WE)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  string(REGEX REPLACE "^test_" "${folder}_" program ${name})
  add_executable(test_${program} ${file})
  target_include_directories(test_${program} PRIVATE tests)
  target_compile_definitions(test_${program} PRIVATE TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data"
                             SOURCE_DIR="${CMAKE_SOURCE_DIR}" MICA_COMMAND="${PROGRAMS}/mica")
  target_link_libraries(test_${program} PRIVATE mica_static PkgConfig::CMOCKA)
  add_test(NAME ${program} COMMAND test_${program})
  set_tests_properties(${program} PROPERTIES TIMEOUT 600)
endforeach()

# The C interface: every header compiles alone, in C17 and in C++17, and what differs between mlx-c's interfaces is
# compiled for each of them and looked at.
include(CheckLanguage)
if(NOT CMAKE_CROSSCOMPILING) # the host's would be found
  check_language(CXX)
endif()
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  set(CMAKE_CXX_STANDARD 17)
endif()
file(GLOB HEADERS CONFIGURE_DEPENDS include/mlx/c/*.h)
foreach(header ${HEADERS})
  get_filename_component(name ${header} NAME_WE)
  foreach(extension c cpp)
    set(source ${CMAKE_BINARY_DIR}/headers/${name}.${extension})
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"mlx/c/${name}.h\"\n\nextern int header_${name};\n")
    list(APPEND HEADERS_${extension} ${source})
  endforeach()
endforeach()
add_library(headers_c OBJECT ${HEADERS_c})
target_compile_options(headers_c PRIVATE -Wpedantic -Werror)
if(CMAKE_CXX_COMPILER)
  add_library(headers_cpp OBJECT ${HEADERS_cpp})
  target_compile_options(headers_cpp PRIVATE -Wpedantic -Werror)
endif()
file(GLOB ABI_SOURCES CONFIGURE_DEPENDS src/capi/*.c)
list(FILTER ABI_SOURCES INCLUDE REGEX "/(distributed|fast|fft|graph_utils|io|io_gguf|ops_create|ops_index|ops_quantize)\\.c$")
foreach(abi IN ZIP_LISTS ABIS ABI_MACROS)
  add_library(abi_${abi_1} OBJECT ${ABI_SOURCES} tests/api/abi.c)
  target_compile_definitions(abi_${abi_1} PRIVATE MLX_C_ABI=${abi_1})
  target_compile_options(abi_${abi_1} PRIVATE -Werror=incompatible-pointer-types -Wno-unused-variable -Wno-unused-const-variable)
  add_test(NAME api_abi_${abi_0} COMMAND sh ${CMAKE_SOURCE_DIR}/tests/api/abi.sh ${abi_0} ${CMAKE_NM}
           $<TARGET_OBJECTS:abi_${abi_1}> COMMAND_EXPAND_LISTS)
endforeach()
add_test(NAME api_symbols COMMAND sh ${CMAKE_SOURCE_DIR}/tests/api/symbols.sh ${CMAKE_NM} $<TARGET_FILE:mica_shared>
         ${CMAKE_SOURCE_DIR}/tests/data/mlxc-symbols.txt)

# what tests/api/test_arguments.c includes: a call of every function that makes arrays
if(TARGET test_api_arguments)
  set(CALLS ${CMAKE_BINARY_DIR}/calls/calls.inc)
  foreach(header ops fast fft linalg random)
    list(APPEND CALL_HEADERS ${CMAKE_SOURCE_DIR}/include/mlx/c/${header}.h)
  endforeach()
  add_custom_command(OUTPUT ${CALLS} COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/calls
                     COMMAND awk -f ${CMAKE_SOURCE_DIR}/tests/api/calls.awk ${CALL_HEADERS} > ${CALLS}
                     DEPENDS tests/api/calls.awk ${CALL_HEADERS} VERBATIM)
  target_sources(test_api_arguments PRIVATE ${CALLS})
  target_include_directories(test_api_arguments PRIVATE ${CMAKE_BINARY_DIR}/calls)
endif()

# tests/e2e/<x>.sh -> test e2e_<x>: runs $MICA and prints lines "ok NAME", "not ok NAME", "skip NAME"
file(GLOB SCRIPTS CONFIGURE_DEPENDS tests/e2e/*.sh)
foreach(file ${SCRIPTS})
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME e2e_${name} COMMAND sh ${file})
  set_tests_properties(e2e_${name} PROPERTIES TIMEOUT 600 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                       ENVIRONMENT "MICA=${PROGRAMS}/mica;BUILD=${PROGRAMS}")
endforeach()

# examples/<x>.c -> program example_<x>, against the shared library and the public headers alone
file(GLOB EXAMPLES CONFIGURE_DEPENDS examples/*.c)
foreach(file ${EXAMPLES})
  get_filename_component(name ${file} NAME_WE)
  add_executable(example_${name} ${file})
  target_link_libraries(example_${name} PRIVATE mica_shared)
  emulated(example_${name})
endforeach()

# bench/bench_<x>.c -> program bench_<x> (bench_make_<x>: a tool that writes what a benchmark reads)
file(GLOB BENCHES CONFIGURE_DEPENDS bench/bench_*.c)
foreach(file ${BENCHES})
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_compile_definitions(${name} PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE mica_static)
  emulated(${name})
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
