# SPDX-License-Identifier: Apache-2.0
"""torch.optim's classes by name, here: what training.py is for functions."""
import ctypes
import json

import safetensors.torch
import torch
from safetensors import safe_open

from kindling import (BOOL, DOUBLE, FUNCTIONS, INT, LONG, POINTER, SIZE, TEXT, Iterator,
                      IterationOptions, NewStateDict, NewTensor, OwnedText, Status)
from training import NO_FLOAT, NO_INT

# The fields of kdl_<name>_options after nbytes, with PyTorch's defaults.
ADAM = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
        "amsgrad": False, "maximize": False, "decoupled_weight_decay": False}
FIELDS = {
    "SGD": {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False,
            "maximize": False},
    "Adam": ADAM,
    "AdamW": {**ADAM, "weight_decay": 1e-2, "decoupled_weight_decay": True},
    "RMSprop": {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0,
                "centered": False, "maximize": False},
    "Adagrad": {"lr": 1e-2, "lr_decay": 0.0, "weight_decay": 0.0,
                "initial_accumulator_value": 0.0, "eps": 1e-10, "maximize": False},
    "Adadelta": {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0, "maximize": False},
    "Adamax": {"lr": 2e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
               "maximize": False},
    "NAdam": {"lr": 2e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
              "momentum_decay": 4e-3, "decoupled_weight_decay": False, "maximize": False},
    "RAdam": {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
              "decoupled_weight_decay": False, "maximize": False},
    "Rprop": {"lr": 1e-2, "eta_minus": 0.5, "eta_plus": 1.2, "step_size_min": 1e-6,
              "step_size_max": 50.0, "maximize": False},
    "ASGD": {"lr": 1e-2, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0,
             "maximize": False},
    "Adafactor": {"lr": 1e-2, "beta2_decay": -0.8, "eps1": NO_FLOAT, "eps2": 1e-3, "d": 1.0,
                  "weight_decay": 0.0, "maximize": False},
    "SparseAdam": {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "maximize": False},
    "Muon": {"lr": 1e-3, "weight_decay": 0.1, "momentum": 0.95, "nesterov": True, "ns_a": 3.4445,
             "ns_b": -4.7750, "ns_c": 2.0315, "eps": 1e-7, "ns_steps": 5, "adjust_lr_fn": None},
    "LBFGS": {"lr": 1.0, "max_iter": 20, "max_eval": NO_INT, "tolerance_grad": 1e-7,
              "tolerance_change": 1e-9, "history_size": 100, "line_search_fn": None},
}
LISTS = {"betas": ("beta1", "beta2"), "ns_coefficients": ("ns_a", "ns_b", "ns_c"), "etas": ("eta_minus", "eta_plus"),
         "step_sizes": ("step_size_min", "step_size_max")}
TYPES = {bool: BOOL, float: DOUBLE, int: LONG, type(None): TEXT}
STRUCTS = {name: type(name + "Options", (ctypes.Structure,), {
    "_fields_": [("nbytes", SIZE), *((field, TYPES[type(value)])
                                     for field, value in fields.items())]})
           for name, fields in FIELDS.items()}


def function_name(name):
    """Kindling's for PyTorch's."""
    return {"SparseAdam": "sparse_adam"}.get(name, name.lower())


class ClipOptions(ctypes.Structure):
    """kdl_clip_grad_norm_options."""

    _fields_ = [("nbytes", SIZE), ("norm_type", DOUBLE), ("error_if_nonfinite", BOOL)]


CLOSURE = ctypes.CFUNCTYPE(POINTER, POINTER)

FUNCTIONS.update({
    "kdl_optimizer_step_closure": (NewTensor, POINTER, CLOSURE, POINTER),
    "kdl_clip_grad_norm_with_": (DOUBLE, Iterator, DOUBLE, ctypes.POINTER(ClipOptions)),
    "kdl_clip_grad_value_": (Status, Iterator, DOUBLE),
    **{f"kdl_optim_{function_name(name)}_with": (POINTER, Iterator, ctypes.POINTER(struct))
       for name, struct in STRUCTS.items()},
    "kdl_optimizer_add_param_group": (Status, POINTER, Iterator, POINTER),
    "kdl_optimizer_release": (None, POINTER),
    "kdl_optimizer_step": (Status, POINTER),
    "kdl_optimizer_zero_grad": (Status, POINTER),
    "kdl_optimizer_group_count": (SIZE, POINTER),
    "kdl_optimizer_state_dict": (NewStateDict, POINTER),
    "kdl_optimizer_param_groups": (OwnedText, POINTER),
    "kdl_optimizer_load_state_dict": (Status, POINTER, POINTER, TEXT),
    "kdl_optimizer_save_with": (Status, POINTER, TEXT, POINTER),
    "kdl_optimizer_load": (Status, POINTER, TEXT),
    "kdl_optimizer_get": (DOUBLE, POINTER, SIZE, TEXT, INT),
    "kdl_optimizer_set": (Status, POINTER, SIZE, TEXT, INT, DOUBLE),
})


def options_struct(name, options):
    """The options struct of PyTorch's arguments."""
    values = dict(FIELDS[name])
    for key, value in options.items():
        fields = ("eps1", "eps2") if (name, key) == ("Adafactor", "eps") else LISTS.get(key)
        if fields:
            values.update(zip(fields, (NO_FLOAT if number is None else number
                                       for number in value)))
        else:
            values[key] = value.encode() if isinstance(value, str) else value
    struct = STRUCTS[name]
    return struct(ctypes.sizeof(struct), **values)


def parameters(context, module):
    """kdl_named_parameters(module)."""
    return context.call("kdl_named_parameters_with", module,
                        IterationOptions(ctypes.sizeof(IterationOptions), b"", True, True))


def flat(state_dict):
    """(tensors by name, the groups' JSON) of PyTorch's state_dict."""
    tensors = {}
    for index, state in state_dict["state"].items():
        for name, value in state.items():
            if isinstance(value, list) and name != "al":  # LBFGS: what it fills anew at each step
                tensors.update({f"state.{index}.{name}.{i}": torch.as_tensor(item)
                                for i, item in enumerate(value)})
            elif isinstance(value, float):
                tensors[f"state.{index}.{name}"] = torch.tensor(value, dtype=torch.float64)
            elif not isinstance(value, list):
                tensors[f"state.{index}.{name}"] = torch.as_tensor(value)
    return tensors, json.dumps(state_dict["param_groups"])


def unflat(tensors, groups):
    """PyTorch's state_dict of those."""
    state = {}
    for key, value in tensors.items():
        _, index, name = key.split(".", 2)
        entries = state.setdefault(int(index), {})
        if name in ("func_evals", "n_iter", "prev_loss"):
            entries[name] = value.item()
        elif "." in name:  # the elements of a list come in their order
            entries.setdefault(name.split(".")[0], []).append(value)
        else:
            entries[name] = value
    for entries in state.values():
        if entries.get("n_iter") == 1:
            entries.update({"old_dirs": [], "old_stps": [], "ro": []})
    return {"state": state, "param_groups": json.loads(groups)}


def save_file(state_dict, path):
    """PyTorch's state_dict into a file that kdl_optimizer_load() reads."""
    tensors, groups = flat(state_dict)
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    safetensors.torch.save_file(tensors, path, {"kindling.param_groups": groups})


def load_file(path):
    """PyTorch's state_dict of a file that kdl_optimizer_save() wrote."""
    with safe_open(path, "pt") as file:
        groups = file.metadata()["kindling.param_groups"]
    return unflat(safetensors.torch.load_file(path), groups)


class Optimizer:
    """A kdl_optimizer of a module's parameters, by its name in PyTorch."""

    def __init__(self, context, name, module, **options):
        self.context, self.name, self.pointer = context, name, None
        self.pointer = context.call(f"kdl_optim_{function_name(name)}_with", parameters(context, module),
                                    options_struct(name, options))

    def __del__(self):
        self.context.library.kdl_optimizer_release(self.pointer)

    def add_param_group(self, module, **options):
        struct = options_struct(self.name, options)
        self.context.call("kdl_optimizer_add_param_group", self, parameters(self.context, module),
                          ctypes.byref(struct))

    def step(self):
        self.context.call("kdl_optimizer_step", self)

    def step_closure(self, closure):
        """step(closure): the closure gives a Tensor, or None on failure."""
        def call(_):
            loss = closure()
            return loss and self.context.library.kdl_tensor_retain(loss.pointer)
        return self.context.call("kdl_optimizer_step_closure", self, CLOSURE(call), None)

    def zero_grad(self):
        self.context.call("kdl_optimizer_zero_grad", self)

    def get(self, group, key, index=0):
        return self.context.call("kdl_optimizer_get", self, group, key.encode(), index)

    def set(self, group, key, value, index=0):
        self.context.call("kdl_optimizer_set", self, group, key.encode(), index, value)

    def state_dict(self):
        """As PyTorch's."""
        tensors = self.context.call("kdl_optimizer_state_dict", self).items()
        return unflat({key: tensor.torch() for key, tensor in tensors},
                      self.context.call("kdl_optimizer_param_groups", self))

    def load_state_dict(self, state_dict):
        """PyTorch's."""
        tensors, groups = flat(state_dict)
        state = self.context.call("kdl_state_dict_new", self.context)
        for key, value in tensors.items():
            state.set(key, value)
        self.context.call("kdl_optimizer_load_state_dict", self, state, groups.encode())

    def save(self, path):
        self.context.call("kdl_optimizer_save_with", self, str(path).encode(), None)

    def load(self, path):
        self.context.call("kdl_optimizer_load", self, str(path).encode())
