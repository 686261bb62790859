# SPDX-License-Identifier: Apache-2.0
# Every examples/*.c becomes a program of its name, compiled as a user would compile it: the shared
# library and its public headers, nothing else. Those that train share examples/support. Each is a
# test too: run, and its text compared with examples/expected.

file(GLOB example_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
set(support "${PROJECT_SOURCE_DIR}/examples/support")
foreach(source IN LISTS example_sources)
    get_filename_component(name "${source}" NAME_WE)
    set(library kindling)
    file(STRINGS "${source}" trains REGEX "#include (<kindling/train.h>|\"training.h\")")
    if(trains)
        set(library kindling_train)
        if(NOT TARGET kindling_train)
            continue()
        endif()
    endif()
    add_executable(example_${name} "${source}")
    set(arguments)
    if(name MATCHES "^train_")
        target_sources(example_${name} PRIVATE "${support}/training.c")
        target_include_directories(example_${name} PRIVATE "${support}")
        set(scratch "${PROJECT_BINARY_DIR}/tests/scratch/example_${name}")
        file(MAKE_DIRECTORY "${scratch}")
        set(arguments --save "${scratch}/net.safetensors" --svg "${scratch}/loss.svg"
            --log "${scratch}/loss.txt")
    endif()
    if(name STREQUAL "train_gpt")
        list(APPEND arguments "${PROJECT_SOURCE_DIR}/docs/jump.md")
    endif()
    kindling_warn(example_${name})
    kindling_sanitize(example_${name})
    target_link_libraries(example_${name} PRIVATE ${library} m)
    set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
    if(KINDLING_TESTS)
        add_test(NAME example_${name}
            COMMAND bash "${PROJECT_SOURCE_DIR}/tests/run_example.sh"
                "${PROJECT_SOURCE_DIR}/examples/expected/${name}.txt"
                ${CMAKE_CROSSCOMPILING_EMULATOR} "$<TARGET_FILE:example_${name}>" ${arguments}
            WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}/examples")
        kindling_test_properties(example_${name} ${name})
    endif()
endforeach()
