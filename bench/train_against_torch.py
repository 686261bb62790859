#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training with Kindling beside PyTorch in one run on one machine: figures as JSON and a page.

Usage: train_against_torch.py BUILD [--quick] [--json FILE] [--page FILE]

BUILD is a release build with KINDLING_BENCH=ON. Before anything is timed, its result is compared
with PyTorch's. Every figure is the best of several turns, which Kindling and PyTorch take one after
the other, with the same number of threads. Ratios are what to read.
"""
import argparse
import functools
import json
import pathlib
import time

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from against_torch import Bench, machine

# name: (sizes of a batch of inputs, classes, layers)
NETWORKS = {
    "2-16-2": ((32, 2), 2, ("Linear(2, 16)", "ReLU()", "Linear(16, 2)")),
    "784-128-10": ((64, 784), 10, ("Linear(784, 128)", "ReLU()", "Linear(128, 10)")),
    "MLP, 3 layers of 1024": ((256, 1024), 1024, (
        "Linear(1024, 1024)", "ReLU()", "Linear(1024, 1024)", "ReLU()", "Linear(1024, 1024)")),
    "MLP, GELU and LayerNorm": ((256, 512), 512, (
        "Linear(512, 1024)", "GELU()", "LayerNorm(1024)", "Dropout(0.1)", "Linear(1024, 512)")),
    "convolutions": ((32, 1, 28, 28), 10, (
        "Conv2d(1, 16, 3, padding=1)", "ReLU()", "MaxPool2d(2)", "Conv2d(16, 32, 3, padding=1)",
        "ReLU()", "MaxPool2d(2)", "Flatten()", "Linear(1568, 10)")),
    # nanoGPT's for a CPU, without places
    "GPT, 4 layers of 128": ((12, 64), 65, (
        "Embedding(65, 128)",
        *["TransformerEncoderLayer(128, 4, 512, 0.0, 'gelu', batch_first=True, norm_first=True)"] * 4,
        "LayerNorm(128)", "Linear(128, 65)", "Flatten(0, 1)")),
}
SIZES = ((32, 32), (256, 400), (2048, 2048))
# PyTorch's two ways, and the arrays that a step reads and writes
OPTIMIZERS = {
    "SGD": (lambda p, fused: torch.optim.SGD(p, 0.01, fused=fused), 2, 1),
    "SGD, momentum": (lambda p, fused: torch.optim.SGD(p, 0.01, 0.9, fused=fused), 3, 2),
    "Adam": (lambda p, fused: torch.optim.Adam(p, fused=fused), 4, 3),
    "AdamW": (lambda p, fused: torch.optim.AdamW(p, fused=fused), 4, 3),
}
PARAMETERS = 100_000_000
# What bench_math does, in PyTorch's words.
FUNCTIONS = {
    "exp": torch.exp,
    "log_square": lambda x: x.square().log(),
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "mul": lambda x: x * x,
    "add": lambda x: x + x,
    "add_row": lambda x: x + x[0],
    "abs": torch.abs,
    "clamp": lambda x: x.clamp(-1, 1),
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "softmax_rows": lambda x: x.softmax(0),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "sum": torch.sum,
    "sum_rows": lambda x: x.sum(0),
    "sum_columns": lambda x: x.sum(-1),
    "sum_middle": lambda x: x.view(-1, 8, x.shape[1]).sum(1),
    "max_columns": lambda x: x.max(-1).values,
    "var_columns": lambda x: x.var(-1),
    "cumsum_rows": lambda x: x.cumsum(0),
    "cumsum_columns": lambda x: x.cumsum(-1),
    "transposed_copy": lambda x: x.t().contiguous(),
    "cat_rows": lambda x: torch.cat([x, x]),
    "cat_columns": lambda x: torch.cat([x, x], 1),
    "index_select": lambda x: x.index_select(0, mixed(len(x), len(x))),
    "embedding": lambda x: F.embedding(mixed(len(x), len(x)), x),
    "cross_entropy": lambda x: F.cross_entropy(x, mixed(*x.shape)),
    "max_pool": lambda x: F.max_pool2d(x[None], 2),
    "dropout": lambda x: F.dropout(x, 0.1),
}
# Without a way back.
ONE_WAY = {
    "gt": lambda x: x > 0.5,
    "mul_": lambda x: x.mul_(-1),
    "add_": lambda x: x.add_(1e-3),
    "fill_": lambda x: x.fill_(1.5),
    "arange": lambda x: torch.arange(0.0, x.numel()),
    "linspace": lambda x: torch.linspace(0, 1, x.numel()),
}
TURNS = 3
FEWEST = 5  # calls of a turn: the first ask the system for their memory


@functools.cache
def mixed(count, bound):
    """Numbers below a bound, mixed up as bench_math mixes them."""
    return torch.arange(count) * 7919 % bound


# ---- steps of training ----------------------------------------------------------------------

class Network:
    """PyTorch's, made and trained as bench_train makes and trains its own."""

    def __init__(self, sizes, classes, layers):
        torch.manual_seed(7)
        scope = {"nn": nn}
        self.net = nn.Sequential(*(eval("nn." + layer, scope) for layer in layers))  # noqa: S307
        of_classes = isinstance(self.net[0], nn.Embedding)
        self.inputs = torch.randint(0, classes, sizes) if of_classes else torch.randn(*sizes)
        self.labels = torch.randint(0, classes, (self.inputs.numel() if of_classes else sizes[0],))
        self.mask = nn.Transformer.generate_square_subsequent_mask(sizes[1])
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.01)

    def forward(self):
        x = self.inputs
        for layer in self.net:
            masked = isinstance(layer, nn.TransformerEncoderLayer)
            x = layer(x, src_mask=self.mask, is_causal=True) if masked else layer(x)
        return x

    def step(self):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.forward(), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def flops(self):
        """Of the products of matrices and the convolutions of a step."""
        with FlopCounterMode(display=False) as counter:
            self.step()
        return counter.get_total_flops()

    def best_step(self, budget):
        """Microseconds, timed as bench_train times."""
        begin, best = time.perf_counter(), float("inf")
        self.step()
        group = int(5e-3 / (time.perf_counter() - begin)) + 1
        while True:
            start = time.perf_counter()
            for _ in range(group):
                self.step()
            best = min(best, (time.perf_counter() - start) / group)
            if time.perf_counter() - begin > budget:
                return best * 1e6


def ours(bench, threads, seconds, sizes, classes, layers):
    return [float(value) for value in bench.program(
        "bench_train", threads, seconds, ",".join(map(str, sizes)), classes, *layers).split()]


def network_rows(bench, name):
    """A row for each number of threads."""
    given = NETWORKS[name]
    theirs = Network(*given)
    for mine in ours(bench, bench.threads, 0, *given):
        expected = theirs.step().item()
        assert abs(mine - expected) <= 1e-4 * expected, (name, mine, expected)
    flops = theirs.flops()
    for threads in sorted({1, bench.threads}):
        torch.set_num_threads(threads)
        row = {"network": name, "batch": given[0][0], "threads": threads}
        pairs = [(theirs.best_step(bench.seconds), *ours(bench, threads, bench.seconds, *given))
                 for _ in range(TURNS)]
        row["torch"], row["kindling"] = map(min, zip(*pairs))
        row["ratio"] = row["torch"] / row["kindling"]
        row["torch_gflops"] = flops / row["torch"] / 1e3
        row["kindling_gflops"] = flops / row["kindling"] / 1e3
        print(f"{name:24}{threads} threads  torch {row['torch']:10.1f} us {row['torch_gflops']:7.1f} "
              f"GFLOPS  kindling {row['kindling']:10.1f} us {row['kindling_gflops']:7.1f} GFLOPS  "
              f"{row['ratio']:6.2f}x", flush=True)
        yield row


# ---- memory ---------------------------------------------------------------------------------

def memory(bench, reads, writes, numel, threads):
    """Nanoseconds an element of moving as much: arrays that are read, and of them written."""
    return float(bench.program("bench_memory", reads, writes, numel, threads, bench.seconds / 2))


@functools.cache
def time_of_copy(bench, numel, threads):
    return min(memory(bench, 1, 0, numel, threads) for _ in range(TURNS))


# ---- optimisers -----------------------------------------------------------------------------

def optimizer_state(name, numel, fused):
    torch.manual_seed(7)
    parameter = nn.Parameter(torch.randn(numel))
    parameter.grad = torch.randn(numel)
    return parameter, OPTIMIZERS[name][0]([parameter], fused)


def check_optimizer(bench, name, numel=10_000):
    parameter, optimizer = optimizer_state(name, numel, False)
    for _ in range(3):
        optimizer.step()
    data = bench.program("bench_optim", name, numel, bench.threads, 0, text=False)
    difference = (torch.frombuffer(bytearray(data), dtype=torch.float32) - parameter).abs().max()
    assert difference <= 1e-6, (name, difference)


def best_optimizer_step(bench, name, fused):
    """PyTorch's nanoseconds an element, timed as bench_optim times."""
    _, optimizer = optimizer_state(name, PARAMETERS, fused)
    begin, best = time.perf_counter(), float("inf")
    optimizer.step()
    while True:
        start = time.perf_counter()
        optimizer.step()
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() - begin > bench.seconds:
            return best / PARAMETERS * 1e9


def optimizer_rows(bench, name):
    check_optimizer(bench, name)
    _, reads, writes = OPTIMIZERS[name]
    for threads in sorted({1, bench.threads}):
        torch.set_num_threads(threads)
        turns = [(best_optimizer_step(bench, name, False), best_optimizer_step(bench, name, True),
                  float(bench.program("bench_optim", name, PARAMETERS, threads, bench.seconds)),
                  memory(bench, reads, writes, PARAMETERS, threads)) for _ in range(TURNS)]
        row = {"optimizer": name, "threads": threads, "nbytes": 4 * (reads + writes)}
        row["torch"], row["torch_fused"], row["kindling"], row["limit"] = map(min, zip(*turns))
        print(f"{name:14}{threads} threads  torch {row['torch']:7.3f} fused {row['torch_fused']:7.3f}"
              f"  kindling {row['kindling']:7.3f}  memory {row['limit']:7.3f}  ns/element", flush=True)
        yield row


# ---- functions ------------------------------------------------------------------------------

def check_function(bench, name, rows, columns):
    """What is timed is PyTorch's result, but for the last digits."""
    torch.manual_seed(7)
    x = torch.randn(rows, columns)
    torch.manual_seed(7)
    if name in ONE_WAY:
        expected = [ONE_WAY[name](x)]
    else:
        y = FUNCTIONS[name](x.requires_grad_())
        y.backward(torch.ones_like(y))
        expected = [y.detach(), x.grad]
    data = bytearray(bench.program("bench_math", name, bench.threads, 0, rows, columns, text=False))
    begin = 0
    for values in expected:
        mine = torch.frombuffer(data, dtype=values.dtype, offset=begin, count=values.numel())
        begin += values.numel() * values.element_size()
        values = values.double().flatten()
        difference = (mine.double() - values).abs().max()
        assert difference <= 1e-5 * max(1, values.abs().max()), (name, difference)
    assert begin == len(data), (name, begin, len(data))


def theirs(name, rows, columns, seconds):
    """PyTorch's nanoseconds an element, (forward, backward), timed as bench_math times."""
    function = {**FUNCTIONS, **ONE_WAY}[name]
    x = torch.randn(rows, columns)
    g = torch.ones_like(function(x.requires_grad_())) if name in FUNCTIONS else None
    begin = time.perf_counter()
    function(x)
    once = time.perf_counter() - begin
    group = int(2e-4 / (once + 1e-9)) + 1 if once < 1e-4 else 1
    best, begin = [float("inf"), float("inf") if name in FUNCTIONS else 0], time.perf_counter()
    turns = 0
    while turns < FEWEST or time.perf_counter() - begin < seconds:
        turns += 1
        start = time.perf_counter()
        for _ in range(group):
            function(x)
        best[0] = min(best[0], (time.perf_counter() - start) / group)
        if name in FUNCTIONS:
            y = function(x)
            start = time.perf_counter()
            y.backward(g)
            best[1] = min(best[1], time.perf_counter() - start)
            x.grad = None
    return [value / x.numel() * 1e9 for value in best]


def function_rows(bench, name, rows, columns):
    check_function(bench, name, rows, columns)
    for threads in sorted({1, bench.threads}):
        torch.set_num_threads(threads)
        seconds = bench.seconds / 4
        pairs = [(*theirs(name, rows, columns, seconds), *map(float, bench.program(
            "bench_math", name, threads, seconds, rows, columns).split()))
            for _ in range(TURNS)]
        values = dict(zip(("torch", "torch_back", "kindling", "kindling_back"),
                          map(min, zip(*pairs))))
        row = {"function": name, "rows": rows, "columns": columns, "threads": threads, **values,
               "copy": time_of_copy(bench, rows * columns, threads),
               "ratio": values["torch"] / values["kindling"]}
        back = ""
        if name in FUNCTIONS:
            row["ratio_back"] = values["torch_back"] / values["kindling_back"]
            back = (f"  back torch {row['torch_back']:7.3f}  kindling {row['kindling_back']:7.3f} "
                    f"({row['ratio_back']:5.2f}x)")
        print(f"{name:16}{rows:5} x {columns:<5}{threads} threads  torch {row['torch']:7.3f}  "
              f"kindling {row['kindling']:7.3f} ({row['ratio']:5.2f}x)  copy {row['copy']:6.3f}"
              f"{back}  ns/element", flush=True)
        yield row


# ---- the page -------------------------------------------------------------------------------

def page(results):
    m = results["machine"]
    lines = [
        "# Performance of training", "",
        "Written by `./dev bench`, which compares every result with PyTorch's before it times it.",
        f"{m['processor']}, {m['instructions']}, {m['cpus']} processors, {m['system']}, torch "
        f"{m['torch']}, {m['date']}. Best of several, in turn; read the ratios.", "",
        "## Steps", "",
        "Microseconds of zero_grad, forward, cross entropy, backward and SGD; GFLOPS count products "
        "of matrices and convolutions.", "",
        "| network | batch | threads | torch | GFLOPS | Kindling | GFLOPS | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for r in results["networks"]:
        lines.append(f"| {r['network']} | {r['batch']} | {r['threads']} | {r['torch']:.1f} | "
                     f"{r['torch_gflops']:.1f} | {r['kindling']:.1f} | {r['kindling_gflops']:.1f} | "
                     f"**{r['ratio']:.2f}** |")
    lines += ["", "## Optimisers", "",
              f"Nanoseconds an element of a step over {PARAMETERS // 10 ** 6} million parameters of "
              "f32. PyTorch's default, and what it offers with `fused=True`. *Memory* only reads and "
              "writes the same arrays, in one pass.", "",
              "| optimiser | threads | torch | torch, fused | Kindling | GB/s | memory | GB/s | "
              "ratio | to fused |", "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for r in results["optimizers"]:
        lines.append(f"| {r['optimizer']} | {r['threads']} | {r['torch']:.3f} | "
                     f"{r['torch_fused']:.3f} | {r['kindling']:.3f} | "
                     f"{r['nbytes'] / r['kindling']:.1f} | {r['limit']:.3f} | "
                     f"{r['nbytes'] / r['limit']:.1f} | **{r['torch'] / r['kindling']:.2f}** | "
                     f"{r['torch_fused'] / r['kindling']:.2f} |")
    lines += ["", "## Functions", "",
              "Nanoseconds an element of f32 tensors, and of the way back. *Copy* copies as many.",
              "", "| function | sizes | threads | torch | Kindling | ratio | copy | torch, back | "
              "Kindling, back | ratio |", "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for r in results["functions"]:
        back = (f"{r['torch_back']:.3f} | {r['kindling_back']:.3f} | **{r['ratio_back']:.2f}**"
                if "ratio_back" in r else " | | ")
        lines.append(f"| {r['function']} | {r['rows']} x {r['columns']} | {r['threads']} | "
                     f"{r['torch']:.3f} | {r['kindling']:.3f} | **{r['ratio']:.2f}** | "
                     f"{r['copy']:.3f} | {back} |")
    return "\n".join(lines + [""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true", help="less time for each figure")
    parser.add_argument("--only", help="networks, optimisers and functions whose names contain this")
    for name in ("json", "page"):
        parser.add_argument(f"--{name}", type=pathlib.Path)
    arguments = parser.parse_args()
    bench = Bench(arguments.build, 0.1 if arguments.quick else 0.6)

    def wanted(names):
        return [name for name in names if not arguments.only or arguments.only in name]

    results = {
        "machine": machine(),
        "networks": [row for name in wanted(NETWORKS) for row in network_rows(bench, name)],
        "optimizers": [row for name in wanted(OPTIMIZERS) for row in optimizer_rows(bench, name)],
        "functions": [row for sizes in SIZES for name in wanted([*FUNCTIONS, *ONE_WAY])
                      for row in function_rows(bench, name, *sizes)],
    }
    for path, text in ((arguments.json, json.dumps(results, indent=1) + "\n"),
                       (arguments.page, page(results))):
        if path:
            path.write_text(text)


if __name__ == "__main__":
    main()
