#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the options take and refuse. Nothing is written meanwhile.
. "$KINDLING_SOURCE/tests/support/cli.sh"

small_gpt2 >config.json

run init config.json
expect_refusal 2 "--seed is missing: the seed chooses the weights"
run init --seed 1
expect_refusal 2 "kindling init takes one configuration, text or recipe; see kindling help init"
run init config.json config.json --seed 1
expect_refusal 2 "kindling init takes one configuration, text or recipe; see kindling help init"
run init config.json --sed 1
expect_refusal 2 "kindling init has no option '--sed'; see kindling help init"
run init config.json -x
expect_refusal 2 "kindling init has no option '-x'; see kindling help init"
run init config.json --seed
expect_refusal 2 "the option '--seed' needs a value"
run init config.json --force=yes
expect_refusal 2 "the option '--force' takes no value"
run plan config.json --seed 1 --force
expect_refusal 2 "kindling plan takes no --force"
run inspect --seed 1 x
expect_refusal 2 "kindling inspect takes no --seed"
run inspect
expect_refusal 2 "kindling inspect takes one safetensors file; see kindling help inspect"

range="from -9223372036854775808 to 18446744073709551615"
for seed in x '' 1x 1.5 0x10 ' 1' -- -9223372036854775809 18446744073709551616 99999999999999999999; do
    run plan config.json --seed "$seed"
    expect_refusal 2 "--seed takes an integer $range, not '$seed'"
done
for threads in 0 -1 x '' 1025 99999999999999999999; do
    run init config.json --seed 1 --threads "$threads"
    expect_refusal 2 "--threads takes a number from 1 to 1024, not '$threads'"
done
for cpu in x '' AVX2; do
    run init config.json --seed 1 --cpu "$cpu"
    expect_status 2
    [[ $err == "kindling: --cpu takes one of auto, ref"*" on this machine, not '$cpu'" ]] ||
        fail "it says:" "$err"
done
for dtype in f31 i64 '' bool; do
    run init config.json --seed 1 --dtype "$dtype"
    expect_refusal 2 "--dtype takes f32, bf16, f16 or f64, not '$dtype'"
done
run init config.json --seed 1 --lapack openblas
expect_status 2
run init config.json --seed 1 --head nose
expect_status 2
[[ $err == 'kindling: config.json: gpt2 has no class "nose" here; these are supported: '* ]] ||
    fail "$err"
expect_files config.json

# A seed's whole value is kept; its low 32 bits choose the draws, and negatives have 2^64 added.
seed_of() {
    run plan config.json --json --seed "$1"
    expect_success
    sed -n 's/^  "seed": "\{0,1\}\([0-9]*\)"\{0,1\},$/\1/p' <<<"$out"
}
[ "$(seed_of -1)" = 18446744073709551615 ] || fail "-1 is $(seed_of -1)"
[ "$(seed_of 18446744073709551615)" = 18446744073709551615 ] || fail "2^64 - 1"
[ "$(seed_of -9223372036854775808)" = 9223372036854775808 ] || fail "-2^63"
[ "$(seed_of 9223372036854775807)" = 9223372036854775807 ] || fail "2^63 - 1"
[ "$(seed_of +7)" = 7 ] || fail "+7"
for seed in -1 18446744073709551615 4294967295; do
    run init config.json --seed "$seed" -o "seed$seed"
    expect_success
    elements "seed$seed" >"elements$seed"
done
cmp elements-1 elements18446744073709551615
cmp elements-1 elements4294967295
