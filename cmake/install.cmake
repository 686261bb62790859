# SPDX-License-Identifier: Apache-2.0
# Headers, the libraries, the program, its man pages, a CMake package and pkg-config files.
include(CMakePackageConfigHelpers)

set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/kindling")
install(DIRECTORY include/kindling DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")

# Two sets, because only the static library asks its user for Jansson.
install(TARGETS kindling EXPORT kindling-shared LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS kindling_static EXPORT kindling-static
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
foreach(set IN ITEMS kindling-shared kindling-static)
    install(EXPORT ${set} NAMESPACE kindling:: DESTINATION "${package_folder}")
endforeach()
if(TARGET kindling_train)
    install(TARGETS kindling_train EXPORT kindling-train LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(EXPORT kindling-train NAMESPACE kindling:: DESTINATION "${package_folder}")
endif()
configure_package_config_file(cmake/kindling-config.cmake.in kindling-config.cmake
    INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file(kindling-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/kindling-config.cmake"
    "${PROJECT_BINARY_DIR}/kindling-config-version.cmake" DESTINATION "${package_folder}")

if(TARGET kindling_program)
    install(TARGETS kindling_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
file(GLOB manual_pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/man/*.1")
if(manual_pages)
    install(FILES ${manual_pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
endif()

# Paths relative to the .pc file, so that `cmake --install --prefix` and a moved tree work.
file(RELATIVE_PATH kindling_pc_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
set(pkg_config_files kindling)
if(TARGET kindling_train)
    list(APPEND pkg_config_files kindling_train)
endif()
foreach(name IN LISTS pkg_config_files)
    configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${name}.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
