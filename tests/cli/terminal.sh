#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The bar is drawn on a terminal and nowhere else.
. "$KINDLING_SOURCE/tests/support/cli.sh"

recipe '{"name": "w", "shape": [20000000], "ops": [{"op": "constant", "value": 1}]}' >recipe.json

if ! script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    echo "this needs script(1) and a pseudo-terminal"
    exit 77
fi

script -qec "$KINDLING init recipe.json -o shown" typescript </dev/null >/dev/null
grep -q '\[#*-*\] *[0-9]* %  .* of 76.3 MiB  .* [GM]B/s  [0-9]*:[0-9][0-9] left' typescript ||
    fail "no bar:" "$(cat typescript)"
script -qec "$KINDLING init recipe.json -o hidden --quiet" typescript </dev/null >/dev/null
! grep -q 'MiB' typescript || fail "a bar, though --quiet:" "$(cat typescript)"

run init recipe.json -o piped
expect_success # stderr is empty
