# SPDX-License-Identifier: Apache-2.0
"""`kindling init` of what print(model) writes, with rules and expectations, against PyTorch."""
import fnmatch
import json
import random
import subprocess
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

import networks
from golden import DTYPES
from kindling import Context, KindlingError, texts
from layer_cases import CALLS
from layers import compare_values
from make_text import construct
from test_nn_transformer import ATTENTION, LAYERS, TRANSFORMERS

SEEDS = (0, 7, 2**32 + 5)


def run(kindling, folder, model, seed, *options):
    """Runs `kindling init` of the model's text; the finished process and the file."""
    (folder / "model.txt").write_text(str(model))
    output = folder / "model.safetensors"
    return subprocess.run([kindling, "init", folder / "model.txt", "--seed", str(seed), "-o",
                           output, "--force", *options], capture_output=True, text=True,
                          check=False), output


def assert_equal_state(path, model):
    ours, theirs = load_file(path), model.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype and torch.equal(ours[name], value), name


@pytest.mark.parametrize("dtype", ("f32", "f64", "bf16"))
@pytest.mark.parametrize("name", networks.FROM_TEXT)
def test_networks(kindling, tmp_path, name, dtype):
    make, rules = networks.FROM_TEXT[name]
    for seed in SEEDS:
        model = construct(make, DTYPES[dtype], seed)
        options = [option for rule in rules for option in ("--rule", rule)]
        save_file(model.state_dict(), tmp_path / "expected.safetensors")
        process, output = run(kindling, tmp_path, model, seed, "--dtype", dtype, *options,
                              "--expect", tmp_path / "expected.safetensors")
        assert process.returncode == 0, process.stderr
        assert_equal_state(output, model)


def list_state(model):
    """What people write to see a state_dict."""
    return "".join(f"{name} {value.shape} {value.dtype}\n"
                   for name, value in model.state_dict().items())


def test_what_the_text_does_not_show(kindling, tmp_path):
    """Parameters of a class's own are found by --expect; an order of construction is not."""
    (tmp_path / "list.txt").write_text(list_state(networks.ViT()))
    process, output = run(kindling, tmp_path, networks.ViT(), 0, "--expect", tmp_path / "list.txt")
    assert process.returncode == 2 and not output.exists()
    assert process.stderr.splitlines()[1:] == [
        "  class_token [1, 1, 16] float32 is not in the model",
        "  pos_embedding [1, 65, 16] float32 is not in the model"]
    for make in (networks.ResNet50, networks.Seq2Seq):
        model = construct(make, torch.float32, 1)
        (tmp_path / "list.txt").write_text(list_state(model))
        process, output = run(kindling, tmp_path, model, 1, "--expect", tmp_path / "list.txt")
        assert process.returncode == 0, process.stderr
        ours = load_file(output)
        assert not all(torch.equal(ours[name], value)
                       for name, value in model.state_dict().items())
        output.unlink()


# ---- layers ----------------------------------------------------------------------------------

REFUSED = ("Lazy", "RNNBase", "RNNCellBase")


def assumptions(call):
    """What has to be assumed for a layer of that call."""
    name, arguments = call.split("(", 1)
    named = [part for part in arguments.rstrip(")").split(", ")
             if part.startswith(("init=", "kdim=", "vdim=", "add_bias_kv="))]
    return [f"{name}({', '.join(named)})"] if named else []


def check_layer(context, call, seed):
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nn.Sequential(eval("nn." + call), nn.Dropout(0.25))  # pylint: disable=eval-used
    theirs.requires_grad_(True)  # which the text does not show either
    ours = context.from_string(str(theirs), assume=assumptions(call))
    state = context.default_generator().state()
    assert state == torch.get_rng_state().numpy().tobytes(), call
    compare_values(call, ours, theirs)


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith(REFUSED)])
def test_layers(prototyped_library, name):
    context = Context(prototyped_library)
    for arguments in CALLS[name]:
        if name == "PReLU" and "," in arguments and "=" not in arguments:
            continue  # an init by position
        check_layer(context, f"{name}({arguments})", 5)


@pytest.mark.parametrize("call", ATTENTION)
def test_attention(prototyped_library, call):
    call = call.replace("{}", "").replace("3, 7, True)", "kdim=3, vdim=7)").replace(
        "False, True, True, ", "False, add_bias_kv=True, ")
    check_layer(Context(prototyped_library), call, 6)


@pytest.mark.parametrize("arguments", LAYERS)
def test_stacks(prototyped_library, arguments):
    context = Context(prototyped_library)
    arguments = arguments.replace("{}", "")
    for kind in ("Encoder", "Decoder"):
        layer = f"nn.Transformer{kind}Layer{arguments}"
        check_layer(context, layer[3:], 6)
        check_layer(context, f"Transformer{kind}({layer}, 3)", 6)


# A decoder that is given is constructed before the encoder, which no text shows.
@pytest.mark.parametrize("call", [call for call in TRANSFORMERS
                                  if "custom_decoder" not in call and ", 0, " not in call])
def test_transformers(prototyped_library, call):
    check_layer(Context(prototyped_library), call.replace("{}", ""), 6)


def test_stacks_of_nothing_are_refused(prototyped_library):
    printed = str(nn.Transformer(4, 2, 0, 1, 3))
    with pytest.raises(KindlingError, match="line 3, column 15: ModuleList: without copies"):
        Context(prototyped_library).from_string(printed)


def test_parametrizations(prototyped_library):
    """Draws and text are PyTorch's; so are values, but for what comes from sums (1e-5)."""
    context = Context(prototyped_library)
    torch.manual_seed(4)
    context.default_generator().manual_seed(4)
    norms = nn.utils.parametrizations
    theirs = nn.Sequential(norms.weight_norm(nn.Conv2d(3, 4, 2)),
                           norms.spectral_norm(nn.Linear(5, 6)),
                           norms.weight_norm(norms.weight_norm(nn.GRU(3, 4), "weight_ih_l0"),
                                             "weight_hh_l0"),
                           norms.orthogonal(nn.Linear(4, 4)), nn.Linear(2, 2))
    ours = context.from_string(str(theirs))
    assert str(ours) == str(theirs)
    assert context.default_generator().state() == torch.get_rng_state().numpy().tobytes()
    state = ours.iterate("state_dict")
    assert [name for name, _ in state] == list(theirs.state_dict())
    for (name, tensor), expected in zip(state, theirs.state_dict().values()):
        if name.startswith(("0.", "2.", "4.")):
            assert torch.equal(tensor.torch(), expected), name
        assert torch.allclose(tensor.torch(), expected, atol=1e-5), name


def test_lazy_layers_are_refused(prototyped_library):
    context = Context(prototyped_library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        printed = str(nn.Sequential(nn.LazyConv2d(3, 3)))
    with pytest.raises(KindlingError, match="line 2, column 8: LazyConv2d has no parameters"):
        context.from_string(printed)


# ---- rules -----------------------------------------------------------------------------------

SCHEMES = {
    "zeros": lambda p: nn.init.zeros_(p), "ones()": lambda p: nn.init.ones_(p),
    "constant(val=-2.5)": lambda p: nn.init.constant_(p, -2.5),
    "normal": lambda p: nn.init.normal_(p),
    "normal(1, std=0.02)": lambda p: nn.init.normal_(p, 1, std=0.02),
    "uniform_(-1, 3)": lambda p: nn.init.uniform_(p, -1, 3),
    "trunc_normal(std=0.02)": lambda p: nn.init.trunc_normal_(p, std=0.02),
    "trunc_normal(mean=0.5, std=1, a=-1, b=2)":
        lambda p: nn.init.trunc_normal_(p, mean=0.5, std=1, a=-1, b=2),
}
MATRIX_SCHEMES = {
    "xavier_uniform": lambda p: nn.init.xavier_uniform_(p),
    "xavier_uniform(gain=relu)":
        lambda p: nn.init.xavier_uniform_(p, gain=nn.init.calculate_gain("relu")),
    "xavier_normal(gain=0.5)": lambda p: nn.init.xavier_normal_(p, gain=0.5),
    "kaiming_uniform(a=0.2)": lambda p: nn.init.kaiming_uniform_(p, a=0.2),
    "kaiming_normal(mode='fan_out', nonlinearity='relu')":
        lambda p: nn.init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu"),
    "kaiming_normal(nonlinearity=tanh)": lambda p: nn.init.kaiming_normal_(p, nonlinearity="tanh"),
}
LINEAR_SCHEMES = {
    "eye": lambda p: nn.init.eye_(p),
    "sparse(0.3, std=0.1)": lambda p: nn.init.sparse_(p, 0.3, 0.1),
    "sparse(sparsity=0.5)": lambda p: nn.init.sparse_(p, 0.5),
}
PATTERNS = {  # those of all parameters, of matrices, of Linear's
    "*": SCHEMES, "*bias": SCHEMES, "*.weight": SCHEMES, "BatchNorm2d.weight": SCHEMES,
    "blocks.[!1]*": SCHEMES, "Block.gain": SCHEMES, "LSTM.*_l0": SCHEMES, "head.?.bias": SCHEMES,
    "Conv2d.weight": MATRIX_SCHEMES, "LSTM.weight_*": MATRIX_SCHEMES,
    "Linear.weight": MATRIX_SCHEMES | LINEAR_SCHEMES, "head.0.weight": LINEAR_SCHEMES,
}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3))
        self.conv, self.bn, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(6, 6)


class Net(nn.Module):
    """With parameters that stand beside modules, and tied ones."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.lstm = nn.LSTM(4, 5, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 2))
        self.head[0].weight = self.blocks[0].fc.weight


def matches(pattern, module, path, name):
    if fnmatch.fnmatchcase(path, pattern):
        return True
    class_name, _, parameter = pattern.partition(".")
    return (any(c.__name__ == class_name for c in type(module).__mro__) and
            fnmatch.fnmatchcase(name, parameter))


def visit(module, rules, prefix=""):
    """What description.h says that rules are in Python."""
    for name, child in module._modules.items():
        if child is not None:
            visit(child, rules, prefix + name + ".")
    for name, parameter in module._parameters.items():
        matching = [scheme for pattern, scheme in rules
                    if matches(pattern, module, prefix + name, name)]
        if parameter is not None and matching:
            matching[-1](parameter)


@pytest.mark.parametrize("case", range(40))
def test_rules(prototyped_library, case):
    choose = random.Random(case)
    context = Context(prototyped_library)
    torch.manual_seed(case)
    theirs = Net()
    # The C side builds the same tree: a Block has a parameter of its own, so not from the text.
    ours = build_net(context, str(theirs), case)
    chosen = [(pattern, choose.choice(list(PATTERNS[pattern])))
              for pattern in choose.sample(list(PATTERNS), choose.randint(1, 6))]
    rules = texts([f"{pattern}={scheme}" for pattern, scheme in chosen])
    visit(theirs, [(pattern, PATTERNS[pattern][scheme]) for pattern, scheme in chosen])
    context.call("kdl_apply_rules", ours, rules, len(rules))
    assert context.default_generator().state() == torch.get_rng_state().numpy().tobytes(), chosen
    compare_values(str(chosen), ours, theirs)


def build_net(context, printed, seed):
    """Net from its text, with what that does not show added."""
    context.default_generator().manual_seed(seed)
    ours = context.from_string(printed)
    library = context.library
    for i in range(3):
        block = library.kdl_submodule(ours.pointer, f"blocks.{i}".encode())
        ones = context.tensor(torch.ones(3))
        library.kdl_tensor_retain(ones.pointer)  # what is given is consumed
        gain = library.kdl_parameter_new_with(ones.pointer, None)
        context.call("kdl_register_parameter", block, b"gain", gain)
    weight = library.kdl_tensor_retain(library.kdl_parameter(ours.pointer, b"blocks.0.fc.weight"))
    context.call("kdl_register_parameter", library.kdl_submodule(ours.pointer, b"head.0"),
                 b"weight", weight)
    return ours


# ---- models of transformers ------------------------------------------------------------------

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 90,
         "hidden_size": 48, "intermediate_size": 100, "num_hidden_layers": 3,
         "num_attention_heads": 4, "num_key_value_heads": 2}


def from_config(config, folder, seed, auto=AutoModelForCausalLM):
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    return auto.from_config(AutoConfig.from_pretrained(folder))


def test_a_printed_llama(kindling, tmp_path):
    """What transformers does at last to a model is a rule for each class.

    (With a head, that is done before the head is constructed, which no text shows.)
    """
    model = from_config(LLAMA, tmp_path, 3, AutoModel)
    process, output = run(kindling, tmp_path, model, 3, "--assume", "LlamaRMSNorm=RMSNorm",
                          "--rule", "Linear.weight=normal(0, 0.02)",
                          "--rule", "Embedding.weight=normal(0, 0.02)")
    assert process.returncode == 0, process.stderr
    assert_equal_state(output, model)


@pytest.mark.parametrize("tied", [False, True])
def test_rules_for_a_configuration(kindling, tmp_path, tied):
    model = from_config(LLAMA | {"tie_word_embeddings": tied}, tmp_path, 3)
    visit(model, [("*.weight", lambda p: nn.init.normal_(p, std=0.1)),
                  ("LlamaRMSNorm.weight", lambda p: nn.init.constant_(p, 0.5)),
                  ("model.layers.1.*", lambda p: nn.init.uniform_(p, -1, 1))])
    (tmp_path / "list.txt").write_text(list_state(model))
    (tmp_path / "rules").write_text("# two\n\nLlamaRMSNorm.weight=constant(0.5)\n"
                                    "model.layers.1.*=uniform(-1, 1)\n")
    output = tmp_path / "ours.safetensors"
    subprocess.run([kindling, "init", tmp_path / "config.json", "--seed", "3", "-o", output,
                    "--rule", "*.weight=normal(std=0.1)", "--rules", tmp_path / "rules",
                    "--expect", tmp_path / "list.txt"], check=True)
    model.save_pretrained(tmp_path / "theirs")
    ours, theirs = load_file(output), load_file(tmp_path / "theirs" / "model.safetensors")
    assert ours.keys() == theirs.keys() and ("lm_head.weight" in ours) != tied
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
