#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kindling plan, and recipes as input.
. "$KINDLING_SOURCE/tests/support/cli.sh"

small_gpt2 >config.json

run plan config.json --seed 42
expect_success
expect_line 'tensor *shape *dtype *values *at draw *draws'
expect_line 'transformer.wte.weight *[[]50, 24[]] *f32 *normal(0, 0.02) *15,264 *1,200'
expect_line 'transformer.ln_f.bias *[[]24[]] *f32 *constant(0)'
expect_line '28 tensors, 15,936 elements, 62.2 KiB'
expect_line '* draws, *% of them dead'

# A recipe holds all that the configuration says, and reads back as itself.
run plan config.json --seed 42 --json
expect_success
printf '%s\n' "$out" >recipe.json
run plan recipe.json --json
expect_success
[ "$out" = "$(cat recipe.json)" ] || fail "the recipe reads back as another"
run init config.json --seed 42 -o from_config -q
expect_success
run init recipe.json -o from_recipe
expect_success
expect_line 'GPT2LMHeadModel  15,936 parameters  f32  profile torch-2.13  seed 42'
cmp <(elements from_config) <(elements from_recipe)
run inspect from_recipe
expect_line "kindling.recipe_sha256: $(sha256sum recipe.json | cut -d ' ' -f 1)"

run init config.json --seed 7 -o other_config -q
run init recipe.json --seed 7 -o other_recipe -q
expect_success
cmp <(elements other_config) <(elements other_recipe)

# Written by hand.
recipe '{"name": "w", "shape": [3, 5], "ops": [{"op": "normal", "mean": 0, "std": 0.02}]},
        {"name": "tied", "same_as": "w"},
        {"name": "b", "dtype": "bf16", "shape": [5]}' >hand.json
run plan hand.json
expect_success
expect_line 'w *[[]3, 5[]] *f32 *normal_serial(0, 0.02) *0 *32'
expect_line 'tied *[[]3, 5[]] *f32 *same as w'
expect_line 'b *[[]5[]] *bf16 *-'
expect_line '3 tensors, 20 elements, 70 bytes'
run init hand.json -o hand --seed -1
expect_success
expect_line 'hand.json  20 parameters  f32  profile torch-2.13  seed 18446744073709551615'
run inspect hand
expect_line '2 tensors, 20 elements, 70 bytes'

for option in '--head base' '--dtype bf16'; do
    # shellcheck disable=SC2086 # an option and its value
    run init hand.json -o no $option
    expect_refusal 2 "hand.json: ${option% *} is for models: a recipe says itself what its tensors are"
done
recipe '{"name": "w", "shape": [3], "ops": [{"op": "unheard_of"}]}' >bad.json
run init bad.json -o no
expect_refusal 2 "bad.json: recipe: tensors[0].ops[0]: unknown op 'unheard_of'"
recipe '' | sed 's/1,/2,/' >bad.json
run init bad.json -o no
expect_refusal 2 "bad.json: recipe: version 2 is not known, only 1 is"
recipe '{"name": "w", "shape": [3], "ops": [}' >bad.json
run init bad.json -o no
expect_refusal 2 "bad.json: recipe: line 1, column 109: unexpected token near '}'"
[ ! -e no ] || fail "a file was made"
