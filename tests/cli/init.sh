#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kindling init: files, names, what is printed, and that threads change nothing.
. "$KINDLING_SOURCE/tests/support/cli.sh"

small_gpt2 >config.json

run init config.json --seed 42
expect_success
expect_files config.json model.safetensors
expect_line 'GPT2LMHeadModel  15,936 parameters  f32  profile torch-2.13  seed 42'
expect_line 'normal *10 *15,264'
expect_line 'constant *18 *672'
expect_line 'all *28 *15,936'
expect_line '* draws, *% of them never needed and never made'
expect_line 'model.safetensors  62.2 KiB  *'
[ "$(stat -c %a model.safetensors)" = "$(printf %o $((0666 & ~$(umask))))" ] || fail "permissions"

run inspect model.safetensors
expect_success
expect_line 'format: pt'
expect_line 'kindling.profile: torch-2.13'
expect_line 'kindling.seed: 42'
expect_line 'kindling.model: GPT2LMHeadModel'
expect_line "kindling.config_sha256: $(sha256sum config.json | cut -d ' ' -f 1)"

# A file that is there is kept, unless it is to be replaced.
cp model.safetensors before
run init config.json --seed 43
expect_refusal 2 "cannot write 'model.safetensors': the file exists"
cmp model.safetensors before
run init config.json --seed 43 --force
expect_success
! cmp -s model.safetensors before || fail "the seed changes nothing"
run init config.json --seed 42 -f --quiet
expect_success
[ -z "$out" ] || fail "--quiet prints" "$out"
cmp model.safetensors before

# Any number of threads, and the disk's promise, give the same file. A folder stands for the
# configuration in it.
mkdir folder
cp config.json folder
for threads in 1 2 3 7; do
    run init folder --seed 42 --threads "$threads" -o "with$threads" --sync
    expect_success
    cmp "with$threads" before
done

# Nor does the instruction set change anything.
for cpu in ref auto; do
    run init config.json --seed 42 --cpu "$cpu" -o "by-$cpu"
    expect_success
    cmp "by-$cpu" before
done

# Other types are drawn, not converted; other heads have other tensors.
run init config.json --seed 42 --dtype bf16 -o bf16
expect_success
expect_line 'GPT2LMHeadModel  15,936 parameters  bf16  *'
run inspect bf16
expect_line 'transformer.wpe.weight *[[]10, 24[]] *BF16 *'
run init config.json --seed 42 --head base -o base --json
expect_success
expect_line '  "model": "GPT2Model",'
expect_line '  "output": "base",'
expect_line '  "seed": "42",'
expect_line '  "tensors": 28,'
expect_line '  "dtype": "float32",'
expect_line '  "nbytes": 63744,'
run inspect base
expect_line 'wpe.weight *'

# A link's target is replaced, not the link.
ln -s before link
run init config.json --seed 1 -o link
expect_refusal 2 "cannot write 'link': the file exists"
run init config.json --seed 1 -o link --force
expect_success
[ -L link ] || fail "the link is gone"
! cmp -s before model.safetensors || fail "the link's target is as before"
