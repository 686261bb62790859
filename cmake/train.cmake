# SPDX-License-Identifier: Apache-2.0
# libkindling_train: gradients, forward passes, optimisers, batches. It stands on libkindling, of
# which it uses some private functions too (KDL__SHARED), so the two are of one build.
#
# oneDNN multiplies matrices of f32, OpenBLAS those of f64. oneDNN's threads are libgomp's, which is
# linked to tell it their number; <omp.h> is not needed for that.

# Debian's CMake package of oneDNN asks for OpenCL's headers, which nothing here needs.
find_path(KINDLING_DNNL_INCLUDE dnnl.h)
find_library(KINDLING_DNNL_LIBRARY dnnl)
pkg_check_modules(OPENBLAS QUIET IMPORTED_TARGET openblas)
if(NOT KINDLING_DNNL_INCLUDE OR NOT KINDLING_DNNL_LIBRARY OR NOT OPENBLAS_FOUND)
    message(FATAL_ERROR "oneDNN or OpenBLAS is missing: install libdnnl-dev and libopenblas-dev, "
        "or configure with -DKINDLING_TRAIN=OFF")
endif()

set(kindling_train_folders compute autograd forward optim data)
list(TRANSFORM kindling_train_folders REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/src/\\1/*.c"
    OUTPUT_VARIABLE kindling_train_patterns)
file(GLOB kindling_train_sources CONFIGURE_DEPENDS ${kindling_train_patterns})
add_library(kindling_train_objects OBJECT ${kindling_train_sources})
kindling_private_flags(kindling_train_objects)
set_target_properties(kindling_train_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
# Nobody reads errno or the processor's flags after these loops; without this, a root or a choice in
# one keeps it from becoming vectors. No result changes.
target_compile_options(kindling_train_objects PRIVATE -fno-math-errno -fno-trapping-math)
target_include_directories(kindling_train_objects PRIVATE ${KINDLING_DNNL_INCLUDE})
target_link_libraries(kindling_train_objects PRIVATE PkgConfig::OPENBLAS PkgConfig::JANSSON)

add_library(kindling_train SHARED $<TARGET_OBJECTS:kindling_train_objects>)
set_target_properties(kindling_train PROPERTIES VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR} BUILD_RPATH_USE_ORIGIN ON INSTALL_RPATH "\$ORIGIN")
target_link_libraries(kindling_train PUBLIC kindling)
add_library(kindling_train_static STATIC $<TARGET_OBJECTS:kindling_train_objects>)
set_target_properties(kindling_train_static PROPERTIES OUTPUT_NAME kindling_train)
target_link_libraries(kindling_train_static PUBLIC kindling_static)
foreach(library IN ITEMS kindling_train kindling_train_static)
    add_library(kindling::${library} ALIAS ${library})
    set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
    target_link_libraries(${library} PRIVATE
        ${KINDLING_DNNL_LIBRARY} PkgConfig::OPENBLAS PkgConfig::JANSSON gomp m)
    kindling_sanitize(${library})
endforeach()
if(NOT KINDLING_SANITIZE)
    target_link_options(kindling_train PRIVATE -Wl,--no-undefined)
endif()
