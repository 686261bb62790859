# SPDX-License-Identifier: Apache-2.0
# How every file of ours is compiled: the language, the warnings, the floating-point rules.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

if(NOT CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    message(FATAL_ERROR "Kindling is built with GCC or Clang, not ${CMAKE_C_COMPILER_ID}")
endif()
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Kind of build" FORCE)
endif()

set(kindling_warnings -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2
    -Wno-format-nonliteral)

function(kindling_warn target)
    target_compile_options(${target} PRIVATE ${kindling_warnings})
    if(KINDLING_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()

function(kindling_sanitize target)
    if(KINDLING_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${KINDLING_SANITIZE}
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(${target} PRIVATE -fsanitize=${KINDLING_SANITIZE})
    endif()
endfunction()

# For the library, the program and the tests. A fused multiply-add rounds once where the two
# operations round twice, so the compiler must never make one that the source does not name.
function(kindling_private_flags target)
    kindling_warn(${target})
    kindling_sanitize(${target})
    target_compile_options(${target} PRIVATE -ffp-contract=off)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_include_directories(${target} PRIVATE
        ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden)
endfunction()
