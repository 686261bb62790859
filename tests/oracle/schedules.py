# SPDX-License-Identifier: Apache-2.0
"""torch.optim.lr_scheduler's classes by name, here."""
import ctypes
import json

from kindling import (BOOL, DOUBLE, FUNCTIONS, LONG, POINTER, SIZE, TEXT, OwnedText, Status)
from training import NO_INT

FACTOR = ctypes.CFUNCTYPE(DOUBLE, LONG, SIZE, POINTER)
SCALE = ctypes.CFUNCTYPE(DOUBLE, DOUBLE, POINTER)


class Values(ctypes.Structure):
    """kdl_lr_values."""

    _fields_ = [("values", ctypes.POINTER(DOUBLE)), ("count", SIZE)]

    @classmethod
    def of(cls, values):
        return cls((DOUBLE * len(values))(*values), len(values))


class Milestones(ctypes.Structure):
    """kdl_milestones, from a list."""

    _fields_ = [("epochs", ctypes.POINTER(LONG)), ("count", SIZE)]

    @classmethod
    def from_param(cls, epochs):
        return cls((LONG * len(epochs))(*epochs), len(epochs))


def struct(name, *fields):
    return type(name, (ctypes.Structure,), {"_fields_": [("nbytes", SIZE), *fields]})


LAST = ("last_epoch", LONG)
NONE = struct("LrOptions", LAST)
STEP = struct("StepOptions", ("gamma", DOUBLE), LAST)
# Of each class: the C function's name, its positional arguments (with types), its options' struct
# and PyTorch's defaults. A list, one number a group, goes into the field "<name>s".
CLASSES = {
    "LambdaLR": ("lambda", {"lr_lambda": FACTOR, "user_data": POINTER}, NONE, {}),
    "MultiplicativeLR": ("multiplicative", {"lr_lambda": FACTOR, "user_data": POINTER}, NONE, {}),
    "StepLR": ("step", {"step_size": LONG}, STEP, {"gamma": 0.1}),
    "MultiStepLR": ("multi_step", {"milestones": Milestones}, STEP, {"gamma": 0.1}),
    "ConstantLR": ("constant", {},
                   struct("ConstantOptions", ("factor", DOUBLE), ("total_iters", LONG), LAST),
                   {"factor": 1 / 3, "total_iters": 5}),
    "LinearLR": ("linear", {},
                 struct("LinearOptions", ("start_factor", DOUBLE), ("end_factor", DOUBLE),
                        ("total_iters", LONG), LAST),
                 {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5}),
    "ExponentialLR": ("exponential", {"gamma": DOUBLE}, NONE, {}),
    "PolynomialLR": ("polynomial", {},
                     struct("PolynomialOptions", ("total_iters", LONG), ("power", DOUBLE), LAST),
                     {"total_iters": 5, "power": 1.0}),
    "CosineAnnealingLR": ("cosine_annealing", {"T_max": LONG},
                          struct("CosineOptions", ("eta_min", DOUBLE), LAST), {"eta_min": 0.0}),
    "CosineAnnealingWarmRestarts": (
        "cosine_annealing_warm_restarts", {"T_0": LONG},
        struct("RestartsOptions", ("T_mult", LONG), ("eta_min", DOUBLE), LAST),
        {"T_mult": 1, "eta_min": 0.0}),
    "CyclicLR": (
        "cyclic", {"base_lr": DOUBLE, "max_lr": DOUBLE},
        struct("CyclicOptions", ("step_size_up", LONG), ("step_size_down", LONG), ("mode", TEXT),
               ("gamma", DOUBLE), ("scale_fn", SCALE), ("scale_fn_user_data", POINTER),
               ("scale_mode", TEXT), ("cycle_momentum", BOOL), ("base_momentum", DOUBLE),
               ("max_momentum", DOUBLE), LAST, ("base_lrs", Values), ("max_lrs", Values),
               ("base_momentums", Values), ("max_momentums", Values)),
        {"step_size_up": 2000, "step_size_down": NO_INT, "mode": b"triangular", "gamma": 1.0,
         "scale_mode": b"cycle", "cycle_momentum": True, "base_momentum": 0.8,
         "max_momentum": 0.9}),
    "OneCycleLR": (
        "one_cycle", {"max_lr": DOUBLE},
        struct("OneCycleOptions", ("total_steps", LONG), ("epochs", LONG),
               ("steps_per_epoch", LONG), ("pct_start", DOUBLE), ("anneal_strategy", TEXT),
               ("cycle_momentum", BOOL), ("base_momentum", DOUBLE), ("max_momentum", DOUBLE),
               ("div_factor", DOUBLE), ("final_div_factor", DOUBLE), ("three_phase", BOOL), LAST,
               ("max_lrs", Values), ("base_momentums", Values), ("max_momentums", Values)),
        {"total_steps": NO_INT, "epochs": NO_INT, "steps_per_epoch": NO_INT, "pct_start": 0.3,
         "anneal_strategy": b"cos", "cycle_momentum": True, "base_momentum": 0.85,
         "max_momentum": 0.95, "div_factor": 25.0, "final_div_factor": 1e4, "three_phase": False}),
    "ReduceLROnPlateau": (
        "reduce_on_plateau", {},
        struct("PlateauOptions", ("mode", TEXT), ("factor", DOUBLE), ("patience", LONG),
               ("threshold", DOUBLE), ("threshold_mode", TEXT), ("cooldown", LONG),
               ("min_lr", DOUBLE), ("eps", DOUBLE), ("min_lrs", Values)),
        {"mode": b"min", "factor": 0.1, "patience": 10, "threshold": 1e-4,
         "threshold_mode": b"rel", "cooldown": 0, "min_lr": 0.0, "eps": 1e-8}),
}

FUNCTIONS.update({
    **{f"kdl_lr_{function}_with": (POINTER, POINTER, *arguments.values(), ctypes.POINTER(options))
       for function, arguments, options, _ in CLASSES.values()},
    "kdl_lr_sequential_with": (POINTER, POINTER, ctypes.POINTER(POINTER), SIZE, Milestones,
                               ctypes.POINTER(NONE)),
    "kdl_lr_chained": (POINTER, POINTER, ctypes.POINTER(POINTER), SIZE),
    "kdl_lr_scheduler_state_dict": (OwnedText, POINTER),
    "kdl_lr_scheduler_load_state_dict": (Status, POINTER, TEXT),
    "kdl_lr_scheduler_release": (None, POINTER),
    "kdl_lr_scheduler_step": (Status, POINTER),
    "kdl_lr_scheduler_step_epoch": (Status, POINTER, DOUBLE),
    "kdl_lr_scheduler_step_metrics": (Status, POINTER, DOUBLE),
    "kdl_lr_scheduler_last_lr": (DOUBLE, POINTER, SIZE),
    "kdl_lr_scheduler_last_epoch": (LONG, POINTER),
})


def make(context, optimizer, name, keep, options):
    """The pointer of a new schedule; `keep` gets what must live as long."""
    if name in ("SequentialLR", "ChainedScheduler"):
        parts = [make(context, optimizer, part, keep, arguments)
                 for part, arguments in options["schedulers"]]
        pointers = (POINTER * len(parts))(*parts)
        if name == "ChainedScheduler":
            return context.call("kdl_lr_chained", optimizer, pointers, len(parts))
        return context.call("kdl_lr_sequential_with", optimizer, pointers, len(parts),
                            options["milestones"], None)
    function, arguments, struct_class, defaults = CLASSES[name]
    values, positional = {**defaults, **options}, []
    if "last_epoch" in dict(struct_class._fields_):
        values.setdefault("last_epoch", -1)
    for key, value in list(values.items()):
        if isinstance(value, list) and key not in ("milestones", "lr_lambda"):
            values[key] = 0.0
            values[key + "s"] = Values.of(value)
        elif isinstance(value, str):
            values[key] = value.encode()
    if "lr_lambda" in values:
        given = values["lr_lambda"]
        values["lr_lambda"] = FACTOR(lambda epoch, group, _: (
            given[group] if isinstance(given, list) else given)(epoch))
        values["user_data"] = None
    if "scale_fn" in values:
        scale = values["scale_fn"]
        values["scale_fn"] = SCALE(lambda x, _: scale(x))
    keep.append(list(values.values()))
    for key in arguments:
        positional.append(values.pop(key))
    return context.call(f"kdl_lr_{function}_with", optimizer, *positional,
                        struct_class(nbytes=ctypes.sizeof(struct_class), **values))


class Schedule:
    """A kdl_lr_scheduler, by its name in PyTorch and its arguments there."""

    def __init__(self, context, optimizer, name, options):
        self.context, self.keep, self.pointer = context, [], None
        self.pointer = make(context, optimizer, name, self.keep, options)

    def __del__(self):
        self.context.library.kdl_lr_scheduler_release(self.pointer)

    def step(self, epoch=None):
        if epoch is None:
            self.context.call("kdl_lr_scheduler_step", self)
        else:
            self.context.call("kdl_lr_scheduler_step_epoch", self, epoch)

    def step_metrics(self, metrics):
        self.context.call("kdl_lr_scheduler_step_metrics", self, metrics)

    def last_lr(self, group=0):
        return self.context.call("kdl_lr_scheduler_last_lr", self, group)

    def state_dict(self):
        """As PyTorch's load_state_dict() takes it."""
        return json.loads(self.context.call("kdl_lr_scheduler_state_dict", self))

    def load_state_dict(self, state_dict):
        """PyTorch's."""
        self.context.call("kdl_lr_scheduler_load_state_dict", self, json.dumps(state_dict).encode())
