# SPDX-License-Identifier: Apache-2.0
"""Small models from transformers' from_config: digests of weights and states, names, texts."""
import json
import pathlib
import tempfile

import torch
import transformers
from transformers import AutoConfig

from golden import DTYPES, HEADER, digest, raw

GPT2 = {"model_type": "gpt2", "vocab_size": 19, "n_positions": 7, "n_embd": 12, "n_layer": 2,
        "n_head": 3}
LLAMA = {"model_type": "llama", "vocab_size": 17, "hidden_size": 12, "intermediate_size": 20,
         "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 2}

# class, dtype, seed, configuration
CASES = [
    ("GPT2Model", "f32", 0, GPT2),
    ("GPT2LMHeadModel", "f32", 42, GPT2),
    ("GPT2LMHeadModel", "bf16", 2**64 - 1, {**GPT2, "tie_word_embeddings": False}),
    ("GPT2LMHeadModel", "f16", 5, {**GPT2, "add_cross_attention": True, "n_inner": 5}),
    ("GPT2LMHeadModel", "f32", 1, {**GPT2, "initializer_range": 0.0}),
    ("GPT2DoubleHeadsModel", "f32", 2, GPT2),
    ("GPT2ForSequenceClassification", "f64", 3, {**GPT2, "num_labels": 5}),
    ("GPT2ForTokenClassification", "f32", 4,
     {**GPT2, "id2label": {"0": "a", "1": "b", "2": "c"}, "activation_function": "xielu"}),
    ("GPT2ForQuestionAnswering", "f32", 6, {**GPT2, "hidden_size": 6, "num_hidden_layers": 1}),
    ("LlamaModel", "f32", 0, LLAMA),
    ("LlamaForCausalLM", "f32", 42, LLAMA),
    ("LlamaForCausalLM", "bf16", 7,
     {**LLAMA, "tie_word_embeddings": True, "pad_token_id": 3, "num_hidden_layers": 1}),
    ("LlamaForCausalLM", "f16", 8, {**LLAMA, "attention_bias": True, "mlp_bias": True}),
    ("LlamaForSequenceClassification", "f32", 9, {**LLAMA, "head_dim": 8, "num_labels": 3}),
    ("LlamaForTokenClassification", "f32", 10, {**LLAMA, "hidden_act": "prelu"}),
    ("LlamaForQuestionAnswering", "f32", 11, {**LLAMA, "initializer_range": 0.5}),
]


def model(class_name, dtype, seed, config):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "config.json").write_text(json.dumps(config))
        read = AutoConfig.from_pretrained(folder)
    torch.manual_seed(seed)
    return getattr(transformers, class_name)._from_config(read, dtype=DTYPES[dtype])


def files():
    transformers.logging.set_verbosity_error()
    lines = [HEADER, "# model CLASS DTYPE SEED CONFIG, then its state_dict's names and digests, the\n",
             "# generator's state afterwards, and the lines of print(model)\n"]
    for class_name, dtype, seed, config in CASES:
        made = model(class_name, dtype, seed, config)
        state = torch.get_rng_state().numpy().tobytes()
        lines.append(f"model {class_name} {dtype} {seed} {json.dumps(config)}\n")
        lines += [f"tensor {name} {digest(raw(tensor))}\n"
                  for name, tensor in made.state_dict().items()]
        lines.append(f"state {digest(state)}\n")
        lines += [f"|{line}\n" for line in str(made).split("\n")]
        lines.append("end\n")
    return {"models.txt": "".join(lines)}
