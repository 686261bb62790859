# SPDX-License-Identifier: Apache-2.0
"""`kindling init` against transformers: from_config under manual_seed, saved by save_pretrained."""
import json
import pathlib
import struct
import subprocess
import time

import pytest
import torch
import transformers
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

SEEDS = (0, 42, 2**32 - 1)
EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "gpt2" / "config.json"
GPT2 = json.loads(EXAMPLE.read_text())
# 78 M parameters; a key and a value head for each three query heads.
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 32000,
         "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 4,
         "num_attention_heads": 12, "num_key_value_heads": 4, "max_position_embeddings": 2048}
SMALL_LLAMA = LLAMA | {"vocab_size": 100, "hidden_size": 48, "intermediate_size": 100}

MODELS = {
    "gpt2-f32": (GPT2, None),
    "gpt2-bf16": (GPT2, "bf16"),
    "llama-f32": (LLAMA, None),
    "llama-bf16": (LLAMA, "bf16"),
    "llama-tied-f32": (LLAMA | {"tie_word_embeddings": True}, None),
    "llama-tied-bf16": (LLAMA | {"tie_word_embeddings": True}, "bf16"),
}
DTYPES = {None: torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def read_header(path):
    """The header as (name, what is said of it) in the file's order, and where the data begin."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(length)), 8 + length


def run_init(kindling, folder, seed, *options):
    """Runs `kindling init`; returns seconds, peak memory in kB, and the file."""
    output = folder / "model.safetensors"
    start = time.monotonic()
    process = subprocess.Popen([kindling, "init", folder / "config.json", "--seed", str(seed),
                                "-o", output, "--force", "--quiet", *options])
    peak = 0
    while process.poll() is None:
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = int(line.split()[1])
        time.sleep(0.002)
    assert process.returncode == 0
    return time.monotonic() - start, peak, output


def from_config(config, folder, seed, dtype, auto=AutoModelForCausalLM):
    """The model and the seconds that it took."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    read = AutoConfig.from_pretrained(folder)
    torch.manual_seed(seed)
    start = time.monotonic()
    model = auto.from_config(read, **({"dtype": DTYPES[dtype]} if dtype else {}))
    return model, time.monotonic() - start


def compare_files(ours, theirs):
    """Same tensors in the same order with the same bytes; their metadata is part of ours."""
    our_header, our_data = read_header(ours)
    their_header, their_data = read_header(theirs)
    metadata = our_header.pop("__metadata__")
    assert their_header.pop("__metadata__").items() <= metadata.items()
    assert list(our_header.items()) == list(their_header.items())
    with safe_open(ours, "pt") as a, safe_open(theirs, "pt") as b:
        for name in their_header:
            assert torch.equal(a.get_tensor(name), b.get_tensor(name)), name
    assert ours.read_bytes()[our_data:] == theirs.read_bytes()[their_data:]
    return metadata


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MODELS)
def test_files_are_equal(kindling, tmp_path, capsys, name, seed):
    config, dtype = MODELS[name]
    model, their_seconds = from_config(config, tmp_path / "ours", seed, dtype)
    start = time.monotonic()
    model.save_pretrained(tmp_path / "theirs")
    save_seconds = time.monotonic() - start
    options = ["--dtype", dtype] if dtype else []
    seconds, peak, ours = run_init(kindling, tmp_path / "ours", seed, *options)
    metadata = compare_files(ours, tmp_path / "theirs" / "model.safetensors")
    assert metadata["kindling.seed"] == str(seed)
    assert peak < 100_000
    with capsys.disabled():
        print(f"\n{name} seed {seed}: kindling init {seconds:.2f} s, peak {peak / 1000:.1f} MB; "
              f"from_config {their_seconds:.2f} s, save_pretrained {save_seconds:.2f} s", end=" ")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tied", [False, True])
def test_transformers_loads_the_file(kindling, tmp_path, tied, dtype):
    config = SMALL_LLAMA | {"tie_word_embeddings": tied}
    model, _ = from_config(config, tmp_path / "ours", 7, dtype)
    run_init(kindling, tmp_path / "ours", 7, *(["--dtype", dtype] if dtype else []))
    loaded, info = AutoModelForCausalLM.from_pretrained(tmp_path / "ours", dtype=DTYPES[dtype],
                                                        output_loading_info=True)
    assert not any(info.values())
    theirs = model.state_dict()
    assert loaded.state_dict().keys() == theirs.keys()
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("head", ["sequence-classification", "LlamaForSequenceClassification"])
def test_heads(kindling, tmp_path, head):
    model, _ = from_config(SMALL_LLAMA, tmp_path / "ours", 3, None,
                           AutoModelForSequenceClassification)
    model.save_pretrained(tmp_path / "theirs")
    _, _, ours = run_init(kindling, tmp_path / "ours", 3, "--head", head)
    compare_files(ours, tmp_path / "theirs" / "model.safetensors")


def test_recipes_give_the_same_file(kindling, tmp_path):
    _, _ = from_config(SMALL_LLAMA, tmp_path / "ours", 5, None)
    _, _, ours = run_init(kindling, tmp_path / "ours", 5)
    recipe = tmp_path / "recipe.json"
    recipe.write_bytes(subprocess.run([kindling, "plan", tmp_path / "ours", "--seed", "5", "--json"],
                                      check=True, capture_output=True).stdout)
    again = tmp_path / "again.safetensors"
    subprocess.run([kindling, "init", recipe, "-o", again, "--quiet"], check=True)
    our_header, our_data = read_header(ours)
    header, data = read_header(again)
    our_header.pop("__metadata__"), header.pop("__metadata__")
    assert list(our_header.items()) == list(header.items())
    assert ours.read_bytes()[our_data:] == again.read_bytes()[data:]


def test_summaries(kindling, tmp_path):
    model, _ = from_config(SMALL_LLAMA, tmp_path / "ours", 5, None)
    _, _, ours = run_init(kindling, tmp_path / "ours", 5)
    text = subprocess.run([kindling, "inspect", ours, "--json"], check=True, capture_output=True)
    theirs = model.state_dict()
    for tensor in json.loads(text.stdout)["tensors"]:
        wide = theirs[tensor["name"]].double()
        for key in ("mean", "std", "min", "max"):
            expected = float(getattr(wide, key)())
            assert tensor[key] == pytest.approx(expected, rel=1e-8, abs=1e-15), (tensor, key)
