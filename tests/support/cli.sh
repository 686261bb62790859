# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the tests of the program, which is $KINDLING. Each begins in an empty folder. They run
# the program with `run`, then say what they expect of it; the first thing that is otherwise ends
# the test.
set -euo pipefail

folder=$(mktemp -d ./cli.XXXXXX)
cd "$folder"
trap 'cd / && rm -rf "${OLDPWD:?}"' EXIT

fail() {
    printf 'line %s: %s\n' "${BASH_LINENO[1]}" "$1" >&2
    [ $# -lt 2 ] || printf '%s\n' "${@:2}" >&2
    exit 1
}

# run ARGUMENT...: leaves $status, $out and $err of the program.
run() {
    status=0
    "$KINDLING" "$@" >"out.$$" 2>"err.$$" || status=$?
    out=$(cat "out.$$")
    err=$(cat "err.$$")
    rm -f "out.$$" "err.$$"
}

# The last run ended with this status.
expect_status() {
    [ "$status" -eq "$1" ] || fail "status $status instead of $1" "$out" "$err"
}

# The last run worked and had nothing to complain of.
expect_success() {
    expect_status 0
    [ -z "$err" ] || fail "it complained" "$err"
}

# expect_refusal STATUS TEXT: exactly this complaint, nothing printed, no file made.
expect_refusal() {
    expect_status "$1"
    [ "$err" = "kindling: $2" ] || fail "it says:" "$err" "instead of:" "kindling: $2"
    [ -z "$out" ] || fail "it printed" "$out"
}

# The output has a line that matches the glob.
expect_line() {
    local line
    while IFS= read -r line; do
        # The pattern is a glob, so it stays unquoted.
        # shellcheck disable=SC2053
        [[ $line != $1 ]] || return 0
    done <<<"$out"
    fail "no line '$1' in:" "$out"
}

# The folder holds just these files (hidden ones count), in alphabetical order.
expect_files() {
    local found
    shopt -s dotglob nullglob
    found=(*)
    [ "${found[*]}" = "$*" ] || fail "there are the files: ${found[*]}" "instead of: $*"
}

# A GPT-2 of a few thousand parameters.
small_gpt2() {
    cat <<'JSON'
{
  "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"],
  "n_layer": 2, "n_embd": 24, "n_head": 3, "n_positions": 10, "vocab_size": 50
}
JSON
}

# recipe TENSORS: one with seed 42.
recipe() {
    printf '{"kindling_recipe": 1, "profile": "torch-2.13", "seed": 42, "tensors": [%s]}\n' "$1"
}

# The bytes behind a safetensors file's header.
elements() {
    local length
    length=$(od -An -N8 -t u8 "$1")
    tail -c +$((8 + length + 1)) "$1"
}
