# SPDX-License-Identifier: Apache-2.0
# Kernels for one instruction set: which folders are compiled here, and with which flags.
#
# A folder's files share its flags; a file whose name contains one of the folder's words gets that
# word's flags too (jump_vpclmulqdq.c, round_bf16.c). KDL__HAVE_<FOLDER> tells the dispatch that
# the folder was compiled; whether the processor has the instructions is looked up at run time.

set(kindling_isa_avx2 -mavx2 -mfma -mf16c -mpclmul)
set(kindling_isa_avx512 ${kindling_isa_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(kindling_isa_neon "")

set(kindling_isa_words_avx512 bf16 vbmi gfni vpclmulqdq)
set(kindling_isa_words_neon pmull)
set(kindling_isa_word_bf16 -mavx512bf16)
set(kindling_isa_word_vbmi -mavx512vbmi)
set(kindling_isa_word_gfni -mgfni)
set(kindling_isa_word_vpclmulqdq -mvpclmulqdq)
set(kindling_isa_word_pmull -march=armv8-a+crypto)

function(kindling_add_isa_sources target)
    if(KINDLING_REF_ONLY)
        return()
    endif()
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
        set(folders avx2 avx512)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
        set(folders neon)
    endif()
    foreach(folder IN LISTS folders)
        file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/kernels/${folder}/*.c")
        if(NOT sources)
            continue()
        endif()
        foreach(source IN LISTS sources)
            set(flags ${kindling_isa_${folder}})
            get_filename_component(name "${source}" NAME_WE)
            foreach(word IN LISTS kindling_isa_words_${folder})
                if(name MATCHES "(^|_)${word}(_|$)")
                    list(APPEND flags ${kindling_isa_word_${word}})
                endif()
            endforeach()
            set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "${flags}")
        endforeach()
        target_sources(${target} PRIVATE ${sources})
        string(TOUPPER "${folder}" upper)
        target_compile_definitions(${target} PRIVATE KDL__HAVE_${upper}=1)
    endforeach()
endfunction()
