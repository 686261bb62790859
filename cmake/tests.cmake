# SPDX-License-Identifier: Apache-2.0
# Every test file becomes one CTest test, by where it lies and what it is called:
#   tests/unit/<folder>/test_*.c, tests/kernel/test_*.c   cmocka, linked statically (private names)
#   tests/cli/*.sh                                        run with the program's path in $KINDLING
#   examples/networks/*.c                                 a library for tests/unit/nn/test_networks.c
#   tests/consumer/run.sh                                 builds against an installed tree
# The label is `quick`, or `full` when the name ends in _slow. Shared code is in tests/support.
# Cross-compiled programs are started through CMAKE_CROSSCOMPILING_EMULATOR; KDL_TEST_EMULATED tells
# tests so.

pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# A size that no machine has must fail as malloc fails, also under a sanitizer.
set(kindling_sanitizer_options)
foreach(sanitizer IN ITEMS ASAN TSAN)
    list(APPEND kindling_sanitizer_options "${sanitizer}_OPTIONS=set:allocator_may_return_null=1")
endforeach()

set(kindling_emulated)
set(kindling_timeout 120)
if(CMAKE_CROSSCOMPILING_EMULATOR)
    set(kindling_emulated KDL_TEST_EMULATED=1)
    set(kindling_timeout 600)
endif()

function(kindling_test_properties test name)
    set_tests_properties(${test} PROPERTIES
        ENVIRONMENT_MODIFICATION "${kindling_sanitizer_options}")
    if(name MATCHES "_slow$")
        set_tests_properties(${test} PROPERTIES LABELS full)
    else()
        set_tests_properties(${test} PROPERTIES LABELS quick TIMEOUT ${kindling_timeout})
    endif()
endfunction()

file(GLOB support_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.c")
file(GLOB test_sources CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/tests/unit/*/test_*.c" "${PROJECT_SOURCE_DIR}/tests/kernel/test_*.c")
if(support_sources)
    add_library(kindling_test_support STATIC ${support_sources})
    kindling_private_flags(kindling_test_support)
    target_include_directories(kindling_test_support PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(kindling_test_support PRIVATE
        KDL_TEST_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden")
    target_link_libraries(kindling_test_support PRIVATE
        kindling_static PkgConfig::CMOCKA PkgConfig::JANSSON)
endif()
# The networks among the examples are tested as a whole, in test_networks.
file(GLOB network_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/networks/*.c")
add_library(kindling_networks STATIC ${network_sources})
kindling_warn(kindling_networks)
kindling_sanitize(kindling_networks)
target_link_libraries(kindling_networks PUBLIC kindling_static)

foreach(source IN LISTS test_sources)
    get_filename_component(name "${source}" NAME_WE)
    get_filename_component(folder "${source}" DIRECTORY)
    get_filename_component(folder "${folder}" NAME)
    # The folders of libkindling_train.
    set(library kindling_static)
    if(folder MATCHES "^(compute|autograd|forward|optim|data)$")
        set(library kindling_train_static)
        if(NOT TARGET ${library})
            continue()
        endif()
    endif()
    add_executable(${name} "${source}")
    kindling_private_flags(${name})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    target_include_directories(${name} PRIVATE
        ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/examples)
    # Golden vectors are read from the source tree: KDL_TEST_GOLDEN_DIR "/file".
    target_compile_definitions(${name} PRIVATE
        KDL_TEST_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden"
        KDL_TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ${kindling_emulated})
    target_link_libraries(${name} PRIVATE
        $<$<BOOL:${support_sources}>:kindling_test_support>
        $<$<STREQUAL:${name},test_networks>:kindling_networks> ${library} PkgConfig::CMOCKA
        PkgConfig::JANSSON Threads::Threads m)
    # Each in a directory of its own, so that tests that write files can run side by side.
    set(scratch "${PROJECT_BINARY_DIR}/tests/scratch/${name}")
    file(MAKE_DIRECTORY "${scratch}")
    add_test(NAME ${name}
        COMMAND bash "${PROJECT_SOURCE_DIR}/tests/run_unit.sh"
            ${CMAKE_CROSSCOMPILING_EMULATOR} $<TARGET_FILE:${name}>
        WORKING_DIRECTORY "${scratch}")
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
    kindling_test_properties(${name} ${name})
endforeach()

if(TARGET kindling_program)
    set(program $<TARGET_FILE:kindling_program>)
    if(CMAKE_CROSSCOMPILING_EMULATOR)
        set(program "${PROJECT_BINARY_DIR}/tests/kindling")
        file(GENERATE OUTPUT "${program}" CONTENT
            "#!/bin/sh\nexec ${CMAKE_CROSSCOMPILING_EMULATOR} '$<TARGET_FILE:kindling_program>' \"$@\"\n"
            FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
    endif()
    file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/cli/*.sh")
    foreach(script IN LISTS scripts)
        get_filename_component(name "${script}" NAME_WE)
        set(scratch "${PROJECT_BINARY_DIR}/tests/scratch/cli_${name}")
        file(MAKE_DIRECTORY "${scratch}")
        add_test(NAME cli_${name} COMMAND bash "${script}" WORKING_DIRECTORY "${scratch}")
        set_tests_properties(cli_${name} PROPERTIES SKIP_RETURN_CODE 77 ENVIRONMENT
            "KINDLING=${program};KINDLING_SOURCE=${PROJECT_SOURCE_DIR}")
        kindling_test_properties(cli_${name} ${name})
    endforeach()
endif()

# A sanitizer's runtime would have to be linked into the consumer, which a stranger does not do.
if(NOT KINDLING_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        find_program(KINDLING_CXX g++ c++)
    else()
        find_program(KINDLING_CXX clang++)
    endif()
    add_test(NAME consumer COMMAND bash "${PROJECT_SOURCE_DIR}/tests/consumer/run.sh"
        "${PROJECT_BINARY_DIR}" "${CMAKE_C_COMPILER}" "${KINDLING_CXX}")
    set_tests_properties(consumer PROPERTIES LABELS full)
endif()
