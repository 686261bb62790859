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

c_sources() {
    local folder folders=()
    for folder in include src cli tests examples bench fuzz; do
        [ ! -d "$folder" ] || folders+=("$folder")
    done
    find "${folders[@]}" -name '*.[ch]' -print0
}

format_sources() {
    local files
    mapfile -d '' files < <(c_sources)
    clang_format "$@" "${files[@]}"
}

tidy_sources() {
    build clang
    find src cli examples -name '*.c' -print0 2>/dev/null |
        xargs -0 -n 1 -P "$jobs" clang-tidy --quiet --warnings-as-errors='*' -p build/clang
}
