# SPDX-License-Identifier: Apache-2.0
"""torch.optim.lr_scheduler: the same rates and momenta, to the last bit, over hundreds of steps."""
import math
import random
import warnings

import pytest
import torch
from torch.optim import lr_scheduler

from conftest import BUILD, case_id
from kindling import KindlingError
from optimizers import Optimizer
from schedules import Schedule
from training import Training, default_path, load_training, twins

FACTORS = {
    "LambdaLR": [{"lr_lambda": lambda epoch: 0.95 ** epoch},
                 {"lr_lambda": [lambda epoch: 1 / (1 + epoch), lambda epoch: math.sin(epoch)]}],
    "MultiplicativeLR": [{"lr_lambda": lambda epoch: 0.95},
                         {"lr_lambda": [lambda epoch: 1 + 1 / (1 + epoch), lambda epoch: 0.9]}],
    "StepLR": [{"step_size": 1}, {"step_size": 30}, {"step_size": 7, "gamma": 0.9},
               {"step_size": 100, "gamma": 1.5}],
    "MultiStepLR": [{"milestones": [30, 80]}, {"milestones": [3, 3, 50], "gamma": 0.7},
                    {"milestones": []}, {"milestones": [0, 90, 10], "gamma": 0.3}],
    "ConstantLR": [{}, {"factor": 0.5, "total_iters": 40}, {"factor": 1.0}, {"factor": 0.1}],
    "LinearLR": [{}, {"start_factor": 0.5, "total_iters": 4},
                 {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 150},
                 {"start_factor": 1e-3, "end_factor": 0.7, "total_iters": 33},
                 {"total_iters": 0}],
    "ExponentialLR": [{"gamma": 0.9}, {"gamma": 0.999}, {"gamma": 1.01}],
    "PolynomialLR": [{}, {"total_iters": 4, "power": 1.0}, {"total_iters": 100, "power": 0.9},
                     {"total_iters": 250, "power": 2.5}],
}
OTHERS = {
    "CosineAnnealingLR": [{"T_max": 10}, {"T_max": 1}, {"T_max": 100, "eta_min": 1e-4},
                          {"T_max": 37, "eta_min": 0.5}],
    "CosineAnnealingWarmRestarts": [{"T_0": 10}, {"T_0": 1}, {"T_0": 7, "T_mult": 2},
                                    {"T_0": 3, "T_mult": 3, "eta_min": 1e-3}],
    "CyclicLR": [
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 7, "step_size_down": 20,
         "mode": "triangular2"},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 9, "mode": "exp_range", "gamma": 0.99},
        {"base_lr": 0.2, "max_lr": 0.5, "cycle_momentum": False},
        {"base_lr": [0.01, 0.02], "max_lr": [0.1, 0.3], "step_size_up": 13,
         "base_momentum": [0.5, 0.6], "max_momentum": [0.7, 0.95]},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 11,
         "scale_fn": lambda x: 0.5 ** x, "scale_mode": "cycle"},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 11,
         "scale_fn": lambda x: 1 / (1 + x), "scale_mode": "iterations"}],
    "OneCycleLR": [
        {"max_lr": 0.1, "total_steps": 300}, {"max_lr": 0.1, "epochs": 10, "steps_per_epoch": 33},
        {"max_lr": [0.1, 0.7], "total_steps": 301, "pct_start": 0.1, "anneal_strategy": "linear"},
        {"max_lr": 0.1, "total_steps": 299, "three_phase": True},
        {"max_lr": 0.1, "total_steps": 300, "cycle_momentum": False, "div_factor": 10.0,
         "final_div_factor": 100.0},
        {"max_lr": 0.1, "total_steps": 320, "base_momentum": [0.5, 0.4],
         "max_momentum": [0.8, 0.9], "three_phase": True, "anneal_strategy": "linear"}],
}
SINGLE = [(name, options) for several in (FACTORS, OTHERS) for name, cases in several.items()
          for options in cases]
SEVERAL = [
    ("ChainedScheduler", {"schedulers": [
        ("ConstantLR", {"factor": 0.1, "total_iters": 20}), ("ExponentialLR", {"gamma": 0.9})]}),
    ("ChainedScheduler", {"schedulers": [
        ("CosineAnnealingLR", {"T_max": 50}), ("LinearLR", {"total_iters": 30}),
        ("MultiStepLR", {"milestones": [5, 100]})]}),
    ("SequentialLR", {"schedulers": [
        ("ConstantLR", {"factor": 0.1, "total_iters": 20}), ("ExponentialLR", {"gamma": 0.9})],
        "milestones": [20]}),
    ("SequentialLR", {"schedulers": [
        ("LinearLR", {"start_factor": 0.1, "total_iters": 10}),
        ("CosineAnnealingLR", {"T_max": 90}), ("StepLR", {"step_size": 10, "gamma": 0.5})],
        "milestones": [10, 100]}),
    ("SequentialLR", {"schedulers": [
        ("LinearLR", {"start_factor": 0.1, "total_iters": 10}),
        ("CosineAnnealingWarmRestarts", {"T_0": 9, "T_mult": 2}), ("PolynomialLR", {})],
        "milestones": [10, 200]}),
    ("SequentialLR", {"schedulers": [
        ("ChainedScheduler", {"schedulers": [("LinearLR", {}), ("ExponentialLR", {"gamma": .9})]}),
        ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)})], "milestones": [50]}),
    ("SequentialLR", {"schedulers": [
        ("SequentialLR", {"schedulers": [("LinearLR", {}), ("ExponentialLR", {"gamma": 0.9})],
                          "milestones": [7]}),
        ("ConstantLR", {"total_iters": 30})], "milestones": [50]}),
    ("SequentialLR", {"schedulers": [("ExponentialLR", {"gamma": 0.5}), ("LinearLR", {})],
                      "milestones": [0]}),
    ("ChainedScheduler", {"schedulers": [
        ("SequentialLR", {"schedulers": [("LinearLR", {}), ("ExponentialLR", {"gamma": 0.99})],
                          "milestones": [20]}),
        ("StepLR", {"step_size": 50})]}),
]

PLATEAU = [
    {}, {"patience": 2}, {"mode": "max", "patience": 3, "factor": 0.5}, {"threshold_mode": "abs"},
    {"mode": "max", "threshold_mode": "abs", "threshold": 0.1, "patience": 1},
    {"patience": 1, "cooldown": 4, "factor": 0.7, "min_lr": 0.01},
    {"patience": 0, "min_lr": [0.1, 0.001], "eps": 1e-2}]


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def theirs_of(optimizer, name, options):
    """PyTorch's schedule."""
    if "schedulers" in options:
        options = {**options, "schedulers": [theirs_of(optimizer, part, arguments)
                                             for part, arguments in options["schedulers"]]}
        if name == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler(options["schedulers"])
    return getattr(lr_scheduler, name)(optimizer, **options)


def optimizers(context, kind="SGD"):
    """(ours, theirs) of two groups with rates of their own."""
    (first, their_first), (second, their_second) = (twins(context, "Linear(2, 2)") for _ in "ab")
    options = {"momentum": 0.5} if kind == "SGD" else {}
    mine = Optimizer(context, kind, first, lr=0.3, **options)
    mine.add_param_group(second, lr=0.07, **options)
    other = getattr(torch.optim, kind)(their_first.parameters(), lr=0.3, **options)
    other.add_param_group({"params": list(their_second.parameters()), "lr": 0.07})
    mine.modules = first, second  # as long as the optimiser
    return mine, other


def same(ours, theirs, *what):
    for group, values in enumerate(theirs.param_groups):
        for key in ("lr", "momentum", "initial_lr", "max_lr", "min_lr", "max_momentum"):
            if key in values:
                assert ours.get(group, key) == values[key], (key, *what, group)
        if "betas" in values:
            assert ours.get(group, "betas") == values["betas"][0], (*what, group)


@pytest.mark.parametrize("kind", ("SGD", "Adam"))
@pytest.mark.parametrize("name,options", SINGLE + SEVERAL, ids=case_id)
def test_steps(context, name, options, kind):
    mine, other = optimizers(context, kind)
    ours, theirs = Schedule(context, mine, name, options), theirs_of(other, name, options)
    same(mine, other, 0)
    for step in range(290):
        ours.step()
        theirs.step()
        same(mine, other, step)
        assert ours.last_lr(1) == theirs.get_last_lr()[1]


@pytest.mark.parametrize("name,options", [
    case for case in SINGLE if case[0] not in ("OneCycleLR", "MultiplicativeLR")], ids=case_id)
def test_epochs(context, name, options):
    """step(epoch): the closed form, where there is one."""
    if options.get("total_iters") == 0:
        return  # PyTorch divides by zero
    mine, other = optimizers(context)
    ours, theirs = Schedule(context, mine, name, options), theirs_of(other, name, options)
    numbers = random.Random(1)
    for _ in range(60):
        epoch = numbers.randrange(300)
        if name == "CosineAnnealingWarmRestarts" and epoch % 2:
            epoch += numbers.random()
        ours.step(epoch)
        theirs.step(epoch)
        same(mine, other, epoch)
        if epoch % 3 == 0:
            ours.step()
            theirs.step()
            same(mine, other, epoch, "next")


@pytest.mark.parametrize("name,options", [
    case for case in SINGLE if case[0] not in ("CosineAnnealingWarmRestarts", "CyclicLR")], ids=case_id)
def test_last_epoch(context, name, options):
    """A run that goes on: the optimiser's state brings the first rates, `last_epoch` the place."""
    mine, other = optimizers(context)
    ours, theirs = Schedule(context, mine, name, options), theirs_of(other, name, options)
    for _ in range(20):
        ours.step()
        theirs.step()
    state = mine.state_dict()
    mine, other = optimizers(context)
    mine.load_state_dict(state)
    other.load_state_dict(state)
    options = {**options, "last_epoch": 19}
    ours, theirs = Schedule(context, mine, name, options), theirs_of(other, name, options)
    for step in range(200):
        same(mine, other, step)
        ours.step()
        theirs.step()


@pytest.mark.parametrize("options", PLATEAU, ids=case_id)
def test_plateau(context, options):
    mine, other = optimizers(context)
    ours = Schedule(context, mine, "ReduceLROnPlateau", options)
    theirs = lr_scheduler.ReduceLROnPlateau(other, **options)
    numbers = random.Random(2)
    for step in range(200):
        value = (math.nan if step == 50 else
                 1 / (1 + step // 10) + numbers.random() * 0.2 - (step > 150) * 2)
        ours.step_metrics(value)
        theirs.step(value)
        same(mine, other, step)
        assert ours.last_lr(0) == theirs.get_last_lr()[0]


@pytest.mark.parametrize("name,options", SINGLE + SEVERAL + [
    ("ReduceLROnPlateau", options) for options in PLATEAU], ids=case_id)
def test_exchange(context, name, options):
    """In the middle each one's state, with its optimiser's, goes to a fresh one of the other."""
    def make():
        optimizer, other = optimizers(context)
        return (optimizer, Schedule(context, optimizer, name, options), other,
                theirs_of(other, name, options))

    def go(ours, theirs, steps):
        for step in steps:
            if name == "ReduceLROnPlateau":
                ours.step_metrics(1 / (1 + step // 10) + step % 3 * 0.2)
                theirs.step(1 / (1 + step // 10) + step % 3 * 0.2)
            else:
                ours.step()
                theirs.step()

    mine, ours, other, theirs = make()
    go(ours, theirs, range(23))
    mine2, ours2, other2, theirs2 = make()
    ours2.load_state_dict(theirs.state_dict())
    mine2.load_state_dict(other.state_dict())
    theirs2.load_state_dict(ours.state_dict())
    other2.load_state_dict(mine.state_dict())
    same(mine2, other2, "loaded")
    assert ours2.last_lr(1) == theirs2.get_last_lr()[1]
    for step in range(23, 200):
        go(ours, theirs, [step])
        go(ours2, theirs2, [step])
        same(mine, other, step)
        same(mine2, other2, step)
        same(mine2, other, step)


@pytest.mark.parametrize("change,message", [
    ({"last_epoch": "3"}, 'StepLR: "last_epoch" must be an integer'),
    ({"step_size": 0}, 'StepLR: "step_size" must be an integer that is not 0'),
    ({"gamma": None}, 'StepLR: "gamma" must be a number'),
    ({"base_lrs": [1.0]}, 'StepLR: "base_lrs" must be a list of one number a group')], ids=case_id)
def test_wrong_states(context, change, message):
    mine, _ = optimizers(context)
    ours = Schedule(context, mine, "StepLR", {"step_size": 3})
    before = ours.state_dict()
    assert refusal(lambda: ours.load_state_dict({**before, "_step_count": 7, **change})) == message
    del before["_step_count"]
    assert refusal(lambda: ours.load_state_dict(before)) == "'_step_count'"
    assert ours.state_dict()["_step_count"] == 1


def test_wrong_counts(context):
    mine, _ = optimizers(context)
    ours = Schedule(context, mine, "OneCycleLR", {"max_lr": 0.1, "total_steps": 3})
    state = {**ours.state_dict(), "total_steps": float("inf")}
    assert (refusal(lambda: ours.load_state_dict(state)) ==
            'OneCycleLR: "total_steps" must be a number that is finite')


def refusal(call):
    try:
        call()
    except (KindlingError, ValueError, ZeroDivisionError, KeyError) as error:
        return error.args[-1]
    return None


@pytest.mark.parametrize("name,options", [
    ("ConstantLR", {"factor": 1.5}), ("ConstantLR", {"factor": -0.1}),
    ("LinearLR", {"start_factor": 0.0}), ("LinearLR", {"start_factor": 2.0}),
    ("LinearLR", {"end_factor": 2.0}), ("LinearLR", {"end_factor": -1.0}),
    ("StepLR", {"step_size": 3, "last_epoch": 2}),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 0}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "mode": "square"}),
    ("CyclicLR", {"base_lr": [0.1], "max_lr": 0.2}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [0.1, 0.2, 0.3]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "base_momentum": [0.1]}),
    ("OneCycleLR", {"max_lr": 0.1}), ("OneCycleLR", {"max_lr": 0.1, "total_steps": 0}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": -1, "steps_per_epoch": 3}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 1, "steps_per_epoch": 0}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9, "pct_start": 1.5}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9, "anneal_strategy": "square"}),
    ("OneCycleLR", {"max_lr": [0.1], "total_steps": 9}),
    ("ReduceLROnPlateau", {"factor": 1.0}), ("ReduceLROnPlateau", {"mode": "mean"}),
    ("ReduceLROnPlateau", {"threshold_mode": "both"}), ("ReduceLROnPlateau", {"min_lr": [0.1]}),
    ("SequentialLR", {"schedulers": [], "milestones": []}),
    ("SequentialLR", {"schedulers": [("LinearLR", {})], "milestones": [3]}),
    ("SequentialLR", {"schedulers": [("LinearLR", {}), ("ReduceLROnPlateau", {})],
                      "milestones": [3]}),
    ("ChainedScheduler", {"schedulers": []}),
    ("ChainedScheduler", {"schedulers": [("ReduceLROnPlateau", {})]}),
], ids=case_id)
def test_refusals(context, name, options):
    mine, other = optimizers(context)
    expected = refusal(lambda: theirs_of(other, name, options))
    assert expected and refusal(lambda: Schedule(context, mine, name, options)) == expected


def test_later_refusals(context):
    """What is wrong only at a step, or with another optimiser."""
    ours, theirs = twins(context, "Linear(2, 2)")
    mine, other = Optimizer(context, "Adagrad", ours), torch.optim.Adagrad(theirs.parameters())
    for name, options in (("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2}),
                          ("OneCycleLR", {"max_lr": 0.1, "total_steps": 3})):
        assert (refusal(lambda: Schedule(context, mine, name, options)) ==
                refusal(lambda: theirs_of(other, name, options)))
    mine, other = optimizers(context)
    options = {"max_lr": 0.1, "total_steps": 3}
    ours = Schedule(context, mine, "OneCycleLR", options)
    theirs = theirs_of(other, "OneCycleLR", options)
    for _ in range(3):
        ours.step()
        theirs.step()
    assert refusal(ours.step) == refusal(theirs.step)
    same(mine, other)
    ours = Schedule(context, mine, "CosineAnnealingWarmRestarts", {"T_0": 2})
    theirs = lr_scheduler.CosineAnnealingWarmRestarts(other, 2)
    assert refusal(lambda: ours.step(-1)) == refusal(lambda: theirs.step(-1))
    ours = Schedule(context, mine, "ConstantLR", {"factor": 0.0, "total_iters": 1})
    theirs = lr_scheduler.ConstantLR(other, 0.0, 1)
    assert refusal(ours.step) == refusal(theirs.step)
    ours = Schedule(context, mine, "PolynomialLR", {"total_iters": 1, "power": -0.5})
    theirs = lr_scheduler.PolynomialLR(other, 1, -0.5)
    expected = refusal(theirs.step)
    assert expected and refusal(ours.step) == expected


def test_warnings(context):
    mine, _ = optimizers(context)
    schedule = Schedule(context, mine, "StepLR", {"step_size": 3})
    context.warnings.clear()
    schedule.step()
    assert context.warnings[0].startswith("Detected call of `lr_scheduler.step()` before")
    context.warnings.clear()
    schedule.step()
    assert not context.warnings
