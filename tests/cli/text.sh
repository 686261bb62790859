#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The text of print(model) as input, rules, expectations: no Python is needed.
. "$KINDLING_SOURCE/tests/support/cli.sh"

cat >model.txt <<'TEXT'
Net(
  (stem): Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1), bias=False)
  (blocks): ModuleList(
    (0-1): 2 x Block(
      (fc): Linear(in_features=6, out_features=6, bias=True)
      (act): PReLU(num_parameters=1)
    )
  )
  (head): Sequential(
    (0): LayerNorm((6,), eps=1e-05, elementwise_affine=True, bias=True)
    (1): Linear(in_features=6, out_features=2, bias=True)
  )
)
TEXT

run init model.txt --seed 5
expect_success
expect_files model.safetensors model.txt
expect_line 'Net  148 parameters  f32  profile torch-2.13  seed 5'
expect_line 'all *11 *148'
expect_line 'Assumed, as the text does not tell:'
expect_line '  every layer is f32'
expect_line '  PReLU: init=0.25'
cp model.safetensors before
run inspect model.safetensors
expect_success
expect_line 'blocks.1.fc.weight *[[]6, 6[]] *F32 *'
expect_line 'stem.weight *[[]4, 1, 3, 3[]] *F32 *'
expect_line 'kindling.model: Net'
expect_line "kindling.text_sha256: $(sha256sum model.txt | cut -d ' ' -f 1)"

# The plan shows the same, and its recipe gives the same elements.
run plan model.txt --seed 5
expect_success
expect_line 'stem.weight *[[]4, 1, 3, 3[]] *f32 *uniform*0 *36'
expect_line '  PReLU: init=0.25'
run plan model.txt --seed 5 --json
expect_success
printf '%s\n' "$out" >recipe.json
run init recipe.json -o again
expect_success
cmp <(elements again) <(elements before)

# Types are drawn; what is assumed counts.
run init model.txt --seed 5 --dtype f64 --assume 'PReLU(init=0.5)' -f --json
expect_success
expect_line '  "model": "Net",'
expect_line '  "dtype": "float64",'
expect_line '  "assumed": "every layer is f64"'
run inspect model.safetensors
expect_line 'blocks.0.act.weight *[[]1[]] *F64 *0.5 *'

# ---- rules

cat >rules <<'RULES'
# biases, then weights
*.bias = constant(val=0.125)

Linear.weight=normal(std=0.02)
RULES
run init model.txt --seed 5 --rules rules --rule 'head.1.weight=ones' -f
expect_success
expect_line 'normal *2 *72'
run inspect model.safetensors
expect_line 'kindling.rules: [*].bias = constant(val=0.125)'
expect_line 'head.1.weight *[[]2, 6[]] *F32 *1 *0 *1 *1'
expect_line 'head.0.bias *[[]6[]] *F32 *0.125 *'
run init model.txt --seed 5 --rule 'stem.weight=zeros' -f --quiet
expect_success
small_gpt2 >config.json
run plan config.json --seed 5 --rule 'transformer.wte.weight=constant(2)'
expect_success
expect_line 'transformer.wte.weight *[[]50, 24[]] *f32 *constant(2)'
rm model.safetensors again before rules recipe.json config.json

# ---- expectations

cat >expected <<'LIST'
stem.weight torch.Size([4, 1, 3, 3]) torch.float32
blocks.0.fc.weight [6, 6] float32
blocks.0.fc.bias (6,) float32

# a comment
blocks.0.act.weight [1] float32
blocks.1.fc.weight [6, 6] float32
blocks.1.fc.bias [6] f32
blocks.1.act.weight [1] float32
head.0.weight [6] float32
head.0.bias [6] float32
head.1.weight [2, 6] float32
head.1.bias [2] float32
LIST
run init model.txt --seed 5 --expect expected -o weights
expect_success
run plan model.txt --seed 1 --expect weights
expect_success
rm weights

sed -e 's/head.1.bias \[2\]/head.1.bias [3]/' -e '/act/d' -e 's/fc.bias \[6\] f32/fc.bias [6] float16/' \
    -e '$a raw [7] int64' expected >wrong
run init model.txt --seed 5 --expect wrong
expect_refusal 2 "the model is not the one of 'wrong':
  blocks.1.fc.bias is float32 in the model, not float16
  head.1.bias is [2] in the model, not [3]
  raw [7] int64 is not in the model
  blocks.0.act.weight [1] float32 is only in the model
  blocks.1.act.weight [1] float32 is only in the model"
{
    cat expected
    tail -n 1 expected
} >wrong
run init model.txt --seed 5 --expect wrong
expect_refusal 2 "the model is not the one of 'wrong':
  head.1.bias is there twice in 'wrong'"
for line in 'x' 'x [3]' 'x [3] float31' '[3] float32' 'x [3 float32 y' 'x [-3] float32'; do
    printf '\n%s\n' "$line" >wrong
    run init model.txt --seed 5 --expect wrong
    expect_refusal 2 "wrong: line 2: a name, a shape and a dtype are expected, such as 'fc.weight [10, 84] float32'"
done
run init model.txt --seed 5 --expect absent
expect_refusal 2 "cannot read 'absent': No such file or directory"

# ---- refusals

run init model.txt --seed 5 --rule 'conv.weight=zeros'
expect_refusal 2 "model.txt: rule 'conv.weight=zeros' matches no parameter"
run init model.txt --seed 5 --rule 'stem.weight=glorot'
expect_refusal 2 "model.txt: rule 'stem.weight=glorot': torch.nn.init has no scheme 'glorot'"
run init model.txt --seed 5 --assume 'GRU=LSTM'
expect_refusal 2 "model.txt: 'GRU=LSTM' is assumed, but no layer of the text is a GRU"
run init model.txt
expect_refusal 2 "--seed is missing: the seed chooses the weights"
run init model.txt --seed 5 --head base
expect_refusal 2 "model.txt: --head is for configurations: a text shows the whole model"
run init model.txt --seed 5 --rules absent
expect_refusal 2 "cannot read 'absent': No such file or directory"
printf 'Net(\n  (a): Conv9d(3)\n)\n' >wrong
run init wrong --seed 5
expect_status 2
[[ $err == 'kindling: wrong: line 2, column 8: Conv9d is not known; assume '* ]] || fail "$err"
run init wrong --seed 5 --assume Conv9d=Module -o none
expect_success
expect_files expected model.txt none wrong

# ---- what there is

run init --list
expect_success
expect_line '  kaiming_normal(a=0, mode=fan_in, nonlinearity=leaky_relu)'
expect_line '*gpt2*'
expect_line '*LayerNorm*'
run init --list model.txt
expect_refusal 2 "--list takes no configuration, text or recipe"
