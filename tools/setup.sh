# SPDX-License-Identifier: Apache-2.0
# Sourced by ./dev: what each kind of work needs on this machine, and how it is installed when it
# is missing. A tool counts as present when it runs, wherever it came from.

say() { printf '\n== %s\n' "$*"; }

die() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

missing=()
need_command() { command -v "$1" >/dev/null || missing+=("$2"); }
need_file() { [ -e "$1" ] || missing+=("$2"); }
need_library() { pkg-config --exists "$1" 2>/dev/null || missing+=("$2"); }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "need root (or sudo) to install: ${missing[*]}"
        sudo "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    command -v apt-get >/dev/null ||
        die "missing: ${missing[*]} (Debian's names); please install them, then try again"
    say "installing ${missing[*]}"
    # Package lists that are absent or old make the first try fail; then they are worth fetching.
    if ! apt_install "${missing[@]}" >/dev/null 2>&1; then
        as_root apt-get update && apt_install "${missing[@]}" ||
            die "could not install ${missing[*]}"
    fi
    missing=()
    hash -r
}

setup_build() {
    need_command cc build-essential
    need_command cmake cmake
    need_command ninja ninja-build
    need_command pkg-config pkg-config
    need_library 'jansson >= 2.13' libjansson-dev
    need_file /usr/include/dnnl.h libdnnl-dev
    need_library openblas libopenblas-dev
    install_missing
}

# clang-format's output differs between versions, so the one that the sources are held to is named.
clang_format() {
    if command -v clang-format-14 >/dev/null; then
        clang-format-14 "$@"
    else
        clang-format "$@"
    fi
}
have_clang_format() { clang_format --version 2>/dev/null | grep -q 'version 14\.'; }

setup_test() {
    need_command c++ build-essential
    need_command clang clang
    need_command clang++ clang
    need_command mandoc mandoc
    need_library cmocka libcmocka-dev
    setup_build
    if ! have_clang_format; then
        # Newer distributions no longer have it; the format check then says that it is skipped.
        missing=(clang-format-14)
        (install_missing) || say "no clang-format 14 on this machine"
        missing=()
    fi
}

# What cross-compiles for AArch64 and runs the result: a compiler, QEMU, and the arm64 packages of
# the libraries, which Debian has beside those of this machine, and Ubuntu in an archive of its own.
setup_neon() {
    local libraries=/usr/lib/aarch64-linux-gnu
    setup_build
    need_file $libraries/pkgconfig/jansson.pc libjansson-dev:arm64
    need_file $libraries/pkgconfig/cmocka.pc libcmocka-dev:arm64
    if [ ${#missing[@]} -gt 0 ] && command -v dpkg >/dev/null &&
        ! { dpkg --print-architecture && dpkg --print-foreign-architectures; } | grep -qx arm64; then
        say "adding arm64 to the architectures whose packages may be installed"
        as_root dpkg --add-architecture arm64
    fi
    need_command aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
    need_file /usr/aarch64-linux-gnu/lib/libc.so libc6-dev-arm64-cross
    need_command qemu-aarch64 qemu-user
    (install_missing) || die "the suite neon needs arm64 packages; on Ubuntu these are in the" \
        "archive for ports, which the sources of apt have to name for arm64"
    missing=()
}

setup_tidy() {
    need_command clang-tidy clang-tidy
    setup_test
}

# The Python environment that PyTorch, the oracle, lives in; remade when its list changes.
setup_oracle() {
    local list=tests/oracle/requirements.txt
    if [ -n "${KINDLING_VENV:-}" ]; then
        python=$KINDLING_VENV/bin/python
        [ -x "$python" ] || die "KINDLING_VENV=$KINDLING_VENV holds no bin/python"
        return
    fi
    need_command python3 python3-venv
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    install_missing
    python=.venv/bin/python
    if ! cmp -s "$list" .venv/requirements.txt; then
        say "installing $(grep -c '^[^#]' "$list") Python packages into .venv"
        python3 -m venv --clear .venv
        "$python" -m pip install --quiet -r "$list"
        cp "$list" .venv/requirements.txt
    fi
}
