# SPDX-License-Identifier: Apache-2.0
# Every bench/*.c becomes one program in bench/ of the build folder; some need libkindling_train.
file(GLOB bench_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.c")
foreach(source IN LISTS bench_sources)
    set(library kindling_static)
    file(STRINGS "${source}" trains REGEX "#include \"kindling/train.h\"")
    if(trains)
        set(library kindling_train_static)
        if(NOT TARGET ${library})
            continue()
        endif()
    endif()
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} "${source}")
    kindling_private_flags(${name})
    target_link_libraries(${name} PRIVATE ${library} PkgConfig::JANSSON Threads::Threads m)
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
endforeach()
