# SPDX-License-Identifier: Apache-2.0
# Every bench/*.c becomes one program in bench/ of the build folder.
file(GLOB bench_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.c")
foreach(source IN LISTS bench_sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} "${source}")
    kindling_private_flags(${name})
    target_link_libraries(${name} PRIVATE kindling_static PkgConfig::JANSSON Threads::Threads m)
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
endforeach()
