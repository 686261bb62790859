# SPDX-License-Identifier: Apache-2.0
"""Models from a config.json have every bit of transformers' from_config, and print as it does."""
import itertools
import json
import random
import struct

import pytest
import torch
import transformers
from transformers import AutoConfig

from kindling import Context, KindlingError

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

SEEDS = (0, 42, 2**32 - 1)
GPT2 = {"model_type": "gpt2", "vocab_size": 61, "n_positions": 13, "n_embd": 24, "n_layer": 2,
        "n_head": 3}
LLAMA = {"model_type": "llama", "vocab_size": 47, "hidden_size": 24, "intermediate_size": 40,
         "num_hidden_layers": 2, "num_attention_heads": 4}
GPT2_CLASSES = ("GPT2Model", "GPT2LMHeadModel", "GPT2DoubleHeadsModel",
                "GPT2ForSequenceClassification", "GPT2ForTokenClassification",
                "GPT2ForQuestionAnswering")
LLAMA_CLASSES = ("LlamaModel", "LlamaForCausalLM", "LlamaForSequenceClassification",
                 "LlamaForTokenClassification", "LlamaForQuestionAnswering")

# Each changes the base configuration in what matters to the weights, or must not matter.
GPT2_CHANGES = [
    {}, {"tie_word_embeddings": False}, {"add_cross_attention": True}, {"n_inner": 17},
    {"n_inner": 0}, {"initializer_range": 0.0}, {"initializer_range": 0.5}, {"n_layer": 0},
    {"n_layer": 11}, {"n_embd": 1, "n_head": 1}, {"hidden_size": 12, "num_hidden_layers": 1},
    {"n_embd": 8, "hidden_size": 16, "n_head": 2}, {"max_position_embeddings": 5},
    {"num_labels": 5}, {"num_labels": 1}, {"num_labels": 0},
    {"id2label": {"0": "a", "1": "b", "2": "c"}}, {"num_labels": 4, "id2label": {"0": "a"}},
    {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
    {"summary_use_proj": False}, {"summary_proj_to_labels": False, "summary_activation": "tanh"},
    {"summary_first_dropout": 0.0, "summary_last_dropout": 0.25}, {"vocab_size": 0},
    {"classifier_dropout": 0.3}, {"hidden_dropout": 0.2}, {"activation_function": "prelu"},
    {"activation_function": "xielu"}, {"pad_token_id": 3, "task_specific_params": {"x": [1]}},
    {"layer_norm_epsilon": 3e-7, "resid_pdrop": 0.5, "embd_pdrop": 1.0, "attn_pdrop": 0.0},
    {"problem_type": "regression", "num_labels": 1}, {"pruned_heads": {}, "quantization_config": None},
]
LLAMA_CHANGES = [
    {}, {"tie_word_embeddings": True}, {"num_key_value_heads": 2}, {"num_key_value_heads": 1},
    {"num_key_value_heads": 3}, {"head_dim": 3},
    {"head_dim": 10}, {"head_dim": 7, "partial_rotary_factor": 0.5},
    {"head_dim": 9, "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.4}}, {"attention_bias": True}, {"mlp_bias": True},
    {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 2}, {"pad_token_id": 0},
    {"pad_token_id": 46, "tie_word_embeddings": True}, {"pad_token_id": -1},
    {"initializer_range": 0.0}, {"initializer_range": 1.0}, {"num_hidden_layers": 0},
    {"num_labels": 7}, {"classifier_dropout": 0.25}, {"token_classification_bias": False},
    {"hidden_act": "gelu_pytorch_tanh"}, {"hidden_act": "prelu"}, {"hidden_act": "xielu"},
    {"rope_theta": 500000.0, "rope_scaling": None, "max_position_embeddings": 64},
    {"rms_norm_eps": 1e-5, "pretraining_tp": 2, "bos_token_id": 7}, {"intermediate_size": 0},
]


@pytest.fixture(scope="module")
def deferred(prototyped_library):
    return Context(prototyped_library, deferred=True)


def make_theirs(config, class_name, seed, tmp_path, dtype=None):
    (tmp_path / "config.json").write_text(json.dumps(config))
    read = AutoConfig.from_pretrained(tmp_path)
    torch.manual_seed(seed)
    options = {"dtype": dtype} if dtype else {}
    model = getattr(transformers, class_name)._from_config(read, **options)
    return model, torch.get_rng_state().numpy().tobytes()


def make_ours(context, config, seed, head=None, dtype=None):
    context.default_generator().manual_seed(seed)
    return context.model(json.dumps(config), dtype, head), context.default_generator().state()


def assert_equal(name, ours, theirs):
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
    bits = {4: torch.int32, 2: torch.int16, 8: torch.int64}[ours.element_size()]
    assert torch.equal(ours.view(bits), theirs.view(bits)), name


def compare(context, config, class_name, seed, tmp_path, head=None, dtype=None):
    theirs, their_state = make_theirs(config, class_name, seed, tmp_path, dtype)
    ours, our_state = make_ours(context, config, seed, head, dtype)
    assert our_state == their_state
    state = ours.iterate("state_dict")
    assert [name for name, _ in state] == list(theirs.state_dict())
    for (name, tensor), expected in zip(state, theirs.state_dict().values()):
        assert_equal(name, tensor.torch(), expected)
    assert str(ours) == str(theirs)
    for iteration in ("named_parameters", "named_modules", "named_children"):
        names = [name for name, _ in getattr(theirs, iteration)()]
        assert [name for name, _ in ours.iterate(iteration)] == names
    assert context.call("kdl_module_numel", ours) == sum(p.numel() for p in theirs.parameters())


def compare_saved(context, config, class_name, seed, tmp_path, dtype=None):
    """The checkpoint plan of a model that was only recorded, against save_pretrained's file."""
    theirs, _ = make_theirs(config, class_name, seed, tmp_path, dtype)
    theirs.save_pretrained(tmp_path / "saved")
    saved = (tmp_path / "saved" / "model.safetensors").read_bytes()
    header = json.loads(saved[8:8 + struct.unpack("<Q", saved[:8])[0]])
    names = [name for name in header if name != "__metadata__"]
    assert names == sorted(names, key=lambda name: header[name]["data_offsets"])
    ours, _ = make_ours(context, config, seed, class_name, dtype)
    tensors = context.call("kdl_model_checkpoint_plan", ours).tensors()
    assert [name for name, _ in tensors] == names
    state = theirs.state_dict()
    for name, values in tensors:
        assert_equal(name, values, state[name])


def cases():
    for base, classes, changes in ((GPT2, GPT2_CLASSES, GPT2_CHANGES),
                                   (LLAMA, LLAMA_CLASSES, LLAMA_CHANGES)):
        for class_name, change in itertools.product(classes, changes):
            yield pytest.param({**base, **change}, class_name, id=f"{class_name}-{change}")


@pytest.mark.parametrize("config, class_name", list(cases()))
def test_every_field(context, tmp_path, config, class_name):
    for seed in SEEDS:
        compare(context, config, class_name, seed, tmp_path, head=class_name)


@pytest.mark.parametrize("config, class_name", list(cases()))
def test_recorded(deferred, tmp_path, config, class_name):
    compare_saved(deferred, config, class_name, 7, tmp_path)


@pytest.mark.parametrize("name", ("float32", "float64", "float16", "bfloat16"))
def test_dtypes(context, deferred, tmp_path, name):
    dtype = getattr(torch, name)
    gpt2 = {**GPT2, "add_cross_attention": True, "activation_function": "xielu"}
    llama = {**LLAMA, "num_key_value_heads": 2, "hidden_act": "prelu", "attention_bias": True}
    for config, classes in ((gpt2, GPT2_CLASSES), (llama, LLAMA_CLASSES)):
        for class_name, seed in itertools.product(classes, SEEDS):
            compare(context, config, class_name, seed, tmp_path, class_name, dtype)
            compare(context, {**config, "dtype": name}, class_name,
                    seed, tmp_path, class_name)
            compare_saved(deferred, config, class_name, seed, tmp_path, dtype)
    other = {**GPT2, "torch_dtype": name}
    compare(context, other, "GPT2LMHeadModel", 1, tmp_path)
    compare(context, {**other, "dtype": "float16"}, "GPT2LMHeadModel", 1, tmp_path)
    compare(context, {**other, "dtype": "float16"}, "GPT2LMHeadModel", 1, tmp_path,
            dtype=torch.bfloat16)


def test_which_class(context, tmp_path):
    for base, classes in ((GPT2, GPT2_CLASSES), (LLAMA, LLAMA_CLASSES)):
        for class_name in classes:
            compare(context, {**base, "architectures": [class_name]}, class_name, 3, tmp_path)
    for architectures in (None, []):
        compare(context, {**GPT2, "architectures": architectures}, "GPT2LMHeadModel", 3, tmp_path)
    asked = {**LLAMA, "architectures": ["LlamaForCausalLM"]}
    compare(context, asked, "LlamaModel", 3, tmp_path, head="base")
    compare(context, asked, "LlamaForSequenceClassification", 3, tmp_path,
            head="sequence-classification")


def test_random_configurations(context, tmp_path):
    """Sizes on both sides of the 16 elements where normal_ changes its way, in every mixture."""
    choose = random.Random(20240607)
    for _ in range(60):
        heads, seed = choose.randint(1, 5), choose.getrandbits(64)
        dtype = choose.choice((torch.float32, torch.bfloat16, torch.float16))
        config = {
            **GPT2, "vocab_size": choose.randint(1, 90), "n_positions": choose.randint(1, 40),
            "n_head": heads, "n_embd": heads * choose.randint(1, 9),
            "n_layer": choose.randint(0, 4), "n_inner": choose.choice((None, 1, 3, 50)),
            "add_cross_attention": choose.random() < 0.3, "num_labels": choose.randint(1, 20),
            "tie_word_embeddings": choose.random() < 0.5,
            "initializer_range": choose.choice((0.02, 0.1, 1.0)),
        }
        class_name = choose.choice(GPT2_CLASSES)
        compare(context, config, class_name, seed, tmp_path, class_name, dtype)
        config = {
            **LLAMA, "vocab_size": choose.randint(1, 90), "num_attention_heads": heads,
            "hidden_size": heads * choose.randint(1, 9),
            "intermediate_size": choose.randint(1, 60),
            "num_hidden_layers": choose.randint(0, 4),
            "num_key_value_heads": choose.choice((None, 1, heads)),
            "head_dim": choose.choice((2, 4, 6)), "attention_bias": choose.random() < 0.5,
            "mlp_bias": choose.random() < 0.5, "num_labels": choose.randint(1, 20),
            "pad_token_id": choose.choice((None, 0)), "tie_word_embeddings": choose.random() < 0.5,
        }
        class_name = choose.choice(LLAMA_CLASSES)
        compare(context, config, class_name, seed, tmp_path, class_name, dtype)


def test_activations(context, tmp_path):
    for name in transformers.activations.ACT2FN:
        compare(context, {**GPT2, "activation_function": name}, "GPT2Model", 0, tmp_path, "base")


def test_special_numbers(context, tmp_path):
    for value in (float("inf"), {"__float__": "Infinity"}):
        config = {**GPT2, "initializer_range": value, "note": [float("nan"), -float("inf")]}
        compare(context, config, "GPT2LMHeadModel", 5, tmp_path)


@pytest.mark.parametrize("dtype, tied", [(torch.float32, True), (torch.bfloat16, False)], ids=str)
def test_real_sizes(context, deferred, tmp_path, dtype, tied):
    """GPT-2 124M, and a Llama of 160 M with grouped-query attention."""
    gpt2 = {"model_type": "gpt2", "tie_word_embeddings": tied}
    llama = {"model_type": "llama", "hidden_size": 768, "intermediate_size": 2048,
             "num_hidden_layers": 12, "num_attention_heads": 12, "num_key_value_heads": 4,
             "pad_token_id": 0, "tie_word_embeddings": tied}
    for config, class_name in ((gpt2, "GPT2LMHeadModel"), (llama, "LlamaForCausalLM")):
        compare(context, config, class_name, 42, tmp_path, dtype=dtype)
        compare_saved(deferred, config, class_name, 42, tmp_path, dtype)


REFUSED = [
    {"n_embd": 24.0}, {"n_embd": "24"}, {"n_embd": True}, {"n_embd": None}, {"n_embd": [24]},
    {"n_inner": "x"}, {"n_head": 0}, {"n_head": 5}, {"vocab_size": -1}, {"initializer_range": 1},
    {"initializer_range": "0.02"}, {"initializer_range": -0.5},
    {"initializer_range": float("nan")}, {"tie_word_embeddings": 1}, {"resid_pdrop": 1.5},
    {"resid_pdrop": True}, {"activation_function": "nonesuch"}, {"activation_function": None},
    {"dtype": "int8"}, {"dtype": "float33"}, {"dtype": 32}, {"id2label": ["a"]},
    {"num_labels": "3"}, {"num_labels": 3.0}, {"num_labels": None},
    {"problem_type": "single_label_classification", "num_labels": 1}, {"hidden_size": None},
    {"per_layer_config": {"0": {"n_inner": 8}}}, {"layer_norm_epsilon": 1},
]


@pytest.mark.parametrize("change", REFUSED, ids=str)
def test_refused_by_both(context, tmp_path, change):
    config = {**GPT2, **change}
    with pytest.raises(Exception):
        make_theirs(config, "GPT2LMHeadModel", 0, tmp_path)
    with pytest.raises(KindlingError):
        context.model(json.dumps(config))


@pytest.mark.parametrize("change", [
    {"num_attention_heads": 5}, {"num_attention_heads": 0}, {"num_key_value_heads": 0},
    {"head_dim": 0}, {"pad_token_id": 47}, {"pad_token_id": -48}, {"initializer_range": 1.5},
    {"head_dim": 7}, {"hidden_size": 36}, {"head_dim": -1}, {"num_key_value_heads": -1}, {"hidden_size": -4}], ids=str)
def test_llama_refused_by_both(context, tmp_path, change):
    config = {**LLAMA, **change}
    with pytest.raises(Exception):
        make_theirs(config, "LlamaForCausalLM", 0, tmp_path)
    with pytest.raises(KindlingError):
        context.model(json.dumps(config))
