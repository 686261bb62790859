#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kindling inspect: the table and its JSON.
. "$KINDLING_SOURCE/tests/support/cli.sh"

recipe '{"name": "few", "shape": [4], "data": "AACAPwAAAEAAAIBAAABAwA=="},
        {"name": "ones", "dtype": "bf16", "shape": [2, 3], "ops": [{"op": "constant", "value": 1}]},
        {"name": "one", "dtype": "i64", "shape": [], "ops": [{"op": "constant", "value": -3}]},
        {"name": "none", "shape": [0, 7]},
        {"name": "bad", "shape": [2], "ops": [{"op": "constant", "value": "nan"}]}' >recipe.json
run init recipe.json -o file -q
expect_success

run inspect file
expect_success
cat >expected <<'TABLE'
tensor  shape   dtype           mean          std          min          max
one     []      I64               -3            -           -3           -3
bad     [2]     F32                -            -            -            -
few     [4]     F32                1       2.9439           -3            4
none    [0, 7]  F32                -            -            -            -
ones    [2, 3]  BF16               1            0            1            1

5 tensors, 13 elements, 44 bytes
format: pt
TABLE
diff expected <(head -n 9 <<<"$out")

run inspect file --json --threads 2
expect_success
expect_line '    "format": "pt",'
expect_line '      "name": "few",'
expect_line '      "std": 2.94392029,'
expect_line '      "mean": null,'
expect_line '      "dtype": "BF16",'

# Types that Kindling has no arithmetic for are named and not summed up.
header='{"w":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]}}'
{
    printf '\x3a\0\0\0\0\0\0\0%sabc' "$header"
} >foreign
run inspect foreign
expect_success
expect_line 'w       [[]3[]]    F8_E4M3            -            -            -            -'

printf '\x3a\0\0\0\0\0\0\0%sab' "$header" >foreign
run inspect foreign
expect_refusal 2 "'foreign' is not a safetensors file: 'w' lies outside the file"
