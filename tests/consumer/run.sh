#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD CC CXX: installs BUILD into a fresh prefix and uses it as a stranger would: through
# find_package and pkg-config, in C and in C++, shared and static, each header alone, and moved.
set -euo pipefail
build=$1 cc=$2 cxx=$3
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strict=(-Wall -Wextra -Wpedantic -Werror)

run() {
    local said
    said=$(env LD_LIBRARY_PATH="${library_path:-}" "$@")
    [ "$said" = "$expected" ] || {
        echo "$1 said '$said', not '$expected'"
        exit 1
    }
    echo "ok: ${1##*/}"
}

cmake --install "$build" --prefix "$work/first" >"$work/install.log" || {
    cat "$work/install.log"
    exit 1
}
# Nothing in the tree may remember where it was installed.
mv "$work/first" "$work/moved"
prefix=$work/moved
pc=$(find "$prefix" -name kindling.pc)
libdir=$(dirname "$(dirname "$pc")")
expected="$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --modversion kindling) torch-2.13 1"

echo '-- each public header alone'
for header in "$prefix"/include/kindling/*.h; do
    name=kindling/$(basename "$header")
    printf '#include <%s>\nextern int a_declaration;\n' "$name" >"$work/header.c"
    "$cc" -std=c17 "${strict[@]}" -I"$prefix/include" -fsyntax-only "$work/header.c"
    "$cxx" -std=c++17 -x c++ "${strict[@]}" -I"$prefix/include" -fsyntax-only "$work/header.c"
    echo "ok: $name"
done

echo '-- find_package'
cmake -S "$here" -B "$work/build" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" && cmake --build "$work/build" \
    >>"$work/cmake.log" || {
    cat "$work/cmake.log"
    exit 1
}
for program in shared_c shared_cpp static_c static_cpp; do run "$work/build/$program"; done

echo '-- pkg-config'
export PKG_CONFIG_PATH=${pc%/*}
read -ra cflags <<<"$(pkg-config --cflags kindling)"
read -ra shared <<<"$(pkg-config --libs kindling)"
read -ra static <<<"$(pkg-config --static --libs kindling | sed "s|-lkindling|$libdir/libkindling.a|")"
"$cc" -std=c17 "${cflags[@]}" "$here/consumer.c" "${shared[@]}" -o "$work/pc_shared_c"
"$cxx" -std=c++17 "${cflags[@]}" "$here/consumer.cpp" "${shared[@]}" -o "$work/pc_shared_cpp"
"$cc" -std=c17 "${cflags[@]}" "$here/consumer.c" "${static[@]}" -o "$work/pc_static_c"
run "$work/pc_static_c"
library_path=$libdir
run "$work/pc_shared_c"
run "$work/pc_shared_cpp"

echo '-- exported names'
# What libkindling_train takes of libkindling is marked in the sources.
shared=$(grep -rhoE '^KDL__SHARED .*\bkdl__\w+\(' "$here/../../src" | grep -oE 'kdl__\w+')
foreign=$(nm -D --defined-only "$libdir/libkindling.so" |
    awk '$3 !~ /^kdl_[^_]/ { print $3 }' | grep -vxF "$shared" || true)
[ -z "$foreign" ] || { echo "libkindling.so exports: $foreign"; exit 1; }
foreign=$(nm -g --defined-only "$libdir/libkindling.a" | awk 'NF == 3 && $3 !~ /^kdl_/ { print $3 }')
[ -z "$foreign" ] || { echo "libkindling.a defines: $foreign"; exit 1; }

if [ -e "$libdir/libkindling_train.so" ]; then
    echo '-- training'
    foreign=$(nm -D --defined-only "$libdir/libkindling_train.so" |
        awk '$3 !~ /^kdl_[^_]/ { print $3 }')
    [ -z "$foreign" ] || { echo "libkindling_train.so exports: $foreign"; exit 1; }
    read -ra training <<<"$(pkg-config --cflags --libs kindling_train)"
    # Options may be left out (kdl_backward(loss)), which -Wpedantic allows from C23 on.
    "$cc" -std=c17 -Wall -Wextra -Werror "$here/consumer_train.c" "${training[@]}" -o "$work/pc_train_c"
    expected='0.60 was learned'
    run "$work/pc_train_c"
    run "$work/build/train_c"
fi

if [ -x "$prefix/bin/kindling" ]; then
    echo '-- the program finds its library'
    library_path='' "$prefix/bin/kindling" --version
fi
