#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Inputs that cannot be used: one sentence, status 2, nothing written.
. "$KINDLING_SOURCE/tests/support/cli.sh"

# refuse TEXT CONFIGURATION: the complaint about that configuration.
refuse() {
    printf '%s' "$2" >config.json
    run init config.json --seed 1
    expect_refusal 2 "config.json: $1"
    expect_files config.json
}

# with FIELDS: a GPT-2 that has these besides.
with() {
    printf '{"model_type": "gpt2", %s}' "$1"
}

run init absent.json --seed 1
expect_refusal 2 "cannot read 'absent.json': No such file or directory"
mkdir folder
run init folder --seed 1
expect_refusal 2 "cannot read 'folder/config.json': No such file or directory"
rmdir folder

refuse "line 1, column 0: '[' or '{' expected near end of file" ''
refuse "line 2, column 15: unexpected token near end of file" $'{\n "model_type": '
refuse "line 1, column 5: ':' expected near ','" '{"a", "b"}'
refuse "the configuration is not a JSON object" '[]'
refuse 'the configuration has no "model_type"' '{}'

printf '{"model_type": "nobody"}' >config.json
run init config.json --seed 1
expect_status 2
[[ $err == 'kindling: config.json: the model_type "nobody" is not supported; these are: '*gpt2* ]] ||
    fail "$err"

# Wrong types, sizes that are negative, zero where that cannot be, or too large, contradictions.
for fields in '"n_embd": "many"' '"n_embd": 1.5' '"n_embd": null' '"n_layer": -1' '"vocab_size": -5' \
    '"n_embd": 9223372036854775807' '"n_embd": 99999999999999999999' '"vocab_size": 4611686018427387904' \
    '"n_embd": 10, "n_head": 3' '"n_head": 0' '"initializer_range": "x"' '"initializer_range": -1' \
    '"tie_word_embeddings": "no"' '"architectures": "GPT2Model"' '"architectures": ["Gpt2Model"]' \
    '"dtype": "int8"' '"dtype": 3'; do
    with "$fields" >config.json
    run init config.json --seed 1
    expect_status 2
    [ "$(wc -l <<<"$err")" = 1 ] || fail "not one line for $fields:" "$err"
    [[ $err == 'kindling: config.json: '?* ]] || fail "$fields: $err"
    expect_files config.json
done

run inspect absent
expect_refusal 2 "cannot read 'absent': No such file or directory"
run inspect .
expect_refusal 2 "cannot read '.': it is a directory"
run inspect config.json
expect_status 2
[[ $err == "kindling: 'config.json' is not a safetensors file: its header should have "* ]] ||
    fail "$err"
