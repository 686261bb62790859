#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# README.md: its program is an example, to the letter, with the text that the example is tested to
# print; its plan is what the program says. Every page's links lead somewhere.
. "$KINDLING_SOURCE/tests/support/cli.sh"
readme=$KINDLING_SOURCE/README.md
examples=$KINDLING_SOURCE/examples

# The README's lines between the first line that is $1 and the next ```.
block() {
    awk -v first="$1" '!inside && !done && $0 == first { inside = 1; next }
        inside && /^```/ { inside = 0; done = 1 }
        inside' "$readme"
}

block '```c' >program.c
awk 'found; /\*\/$/ && NR > 1 { found = 1 }' "$examples/learn_xor.c" | diff program.c - >&2 ||
    fail 'the program is not examples/learn_xor.c'
awk '/^step  0/ { inside = 1 } /^```/ { inside = 0 } inside' "$readme" |
    diff - "$examples/expected/learn_xor.txt" >&2 || fail 'it prints something else'
rm program.c

run plan "$examples/gpt2/config.json" --seed 42
expect_success
while IFS= read -r line; do
    expect_line "${line//[/\\[}"
done < <(block '$ kindling plan gpt2/config.json --seed 42 | head -3')

for page in "$KINDLING_SOURCE"/*.md "$KINDLING_SOURCE"/docs/*.md; do
    # A page may have none.
    { grep -oE '\]\([^)#:]+[)#]' "$page" || true; } | tr -d '])(#' | while IFS= read -r path; do
        [ -e "${page%/*}/$path" ] || fail "${page##*/} leads to $path, which is not there"
    done
done
