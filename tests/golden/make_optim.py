# SPDX-License-Identifier: Apache-2.0
"""What PyTorch's optimisers make of one parameter, and its schedules of one learning rate."""
import warnings

import torch
from torch import optim
from torch.optim import lr_scheduler

from golden import HEADER

OPTIMIZERS = {
    "sgd": (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    "adamw": (optim.AdamW, {"betas": (0.5, 0.9)}),
    "rmsprop": (optim.RMSprop, {"centered": True, "momentum": 0.5}),
    "adagrad": (optim.Adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    "adadelta": (optim.Adadelta, {"rho": 0.5, "maximize": True}),
    "adamax": (optim.Adamax, {"eps": 1e-3}),
    "nadam": (optim.NAdam, {"momentum_decay": 0.1}),
    "radam": (optim.RAdam, {"betas": (0.9, 0.5), "decoupled_weight_decay": True,
                            "weight_decay": 0.1}),
    "rprop": (optim.Rprop, {"etas": (0.3, 1.5)}),
    "asgd": (optim.ASGD, {"lambd": 0.1, "t0": 2.0}),
    "adafactor": (optim.Adafactor, {"d": 2.0, "weight_decay": 0.1}),
}
SCHEDULES = {
    "step": (lr_scheduler.StepLR, {"step_size": 3, "gamma": 0.7}),
    "multi_step": (lr_scheduler.MultiStepLR, {"milestones": [2, 2, 5]}),
    "constant": (lr_scheduler.ConstantLR, {"total_iters": 3}),
    "linear": (lr_scheduler.LinearLR, {"total_iters": 7}),
    "exponential": (lr_scheduler.ExponentialLR, {"gamma": 0.9}),
    "polynomial": (lr_scheduler.PolynomialLR, {"total_iters": 9, "power": 1.7}),
    "cosine_annealing": (lr_scheduler.CosineAnnealingLR, {"T_max": 5, "eta_min": 0.01}),
    "cosine_annealing_warm_restarts": (lr_scheduler.CosineAnnealingWarmRestarts,
                                       {"T_0": 3, "T_mult": 2}),
    "cyclic": (lr_scheduler.CyclicLR, {"base_lr": 0.1, "max_lr": 0.7, "step_size_up": 4,
                                       "mode": "exp_range", "gamma": 0.9}),
    "one_cycle": (lr_scheduler.OneCycleLR, {"max_lr": 0.9, "total_steps": 12,
                                            "three_phase": True}),
}
STEPS = 6


def steps(constructor, options):
    """The parameter (2, 3) after gradients that tests/unit/optim/test_optim_golden.c makes alike."""
    parameter = torch.nn.Parameter(1 + torch.arange(6, dtype=torch.float64).reshape(2, 3) / 2)
    optimizer = constructor([parameter], lr=0.05, **options)
    for step in range(STEPS):
        parameter.grad = torch.tensor([((7 * i + 3 * step) % 5 - 1.5) / 4 for i in range(6)],
                                      dtype=torch.float64).reshape(2, 3)
        optimizer.step()
    return parameter.detach().reshape(-1).tolist()


def rates(constructor, options):
    """The learning rate of the first epochs."""
    optimizer = optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3, momentum=0.5)
    schedule = constructor(optimizer, **options)
    found = []
    for _ in range(10):
        found.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    return found


def files():
    lines = [HEADER, "# step NAME VALUES: a parameter after some steps; lr NAME VALUES: learning rates\n"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, case in OPTIMIZERS.items():
            lines.append(f"step {name} {' '.join(map(repr, steps(*case)))}\n")
        for name, case in SCHEDULES.items():
            lines.append(f"lr {name} {' '.join(map(repr, rates(*case)))}\n")
    return {"optim.txt": "".join(lines)}
