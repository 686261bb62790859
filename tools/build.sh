# SPDX-License-Identifier: Apache-2.0
# Sourced by ./dev: configuring and building a preset, and the tools that read the sources.

jobs=$(nproc)

# build PRESET [CMAKE-OPTION...]: leaves it in build/PRESET; what CMake says goes to a log, unless
# it fails.
build() {
    local preset=$1 log=build/$1/build.log
    shift
    mkdir -p "build/$preset"
    if ! { cmake --preset "$preset" "$@" && cmake --build "build/$preset" -j "$jobs"; } >"$log" 2>&1
    then
        cat "$log"
        return 1
    fi
}

# c_files PATTERN FOLDER...: sets `files`; a folder that is not there holds none.
c_files() {
    local pattern=$1 folder present=()
    shift
    for folder in "$@"; do
        [ ! -d "$folder" ] || present+=("$folder")
    done
    mapfile -d '' files < <(find "${present[@]}" -name "$pattern" -print0)
}

# format_sources CLANG-FORMAT-OPTION...
format_sources() {
    local files
    c_files '*.[ch]' include src cli tests examples bench fuzz
    clang_format "$@" "${files[@]}"
}

# Those of src, cli and examples that are built on this machine: no other's kernels.
tidy_sources() {
    build clang
    sed -n 's/^ *"file": "\(.*\)",*$/\1/p' build/clang/compile_commands.json | sort -u |
        grep -E "^$PWD/(src|cli|examples)/" |
        xargs -d '\n' -n 1 -P "$jobs" clang-tidy --quiet -p build/clang
}
