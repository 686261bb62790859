#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training with Kindling beside PyTorch in one run on one machine: figures as JSON and a page.

Usage: train_against_torch.py BUILD [--quick] [--json FILE] [--page FILE]

BUILD is a release build with KINDLING_BENCH=ON. Before anything is timed, its result is compared
with PyTorch's. Every figure is the best of several turns, which Kindling and PyTorch take one after
the other, with the same number of threads. Ratios are what to read.
"""
import argparse
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
ROWS, COLUMNS = 1024, 1024
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
    "add_row": lambda x: x + x[0],
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "layer_norm": lambda x: F.layer_norm(x, (COLUMNS,)),
    "sum": torch.sum,
    "sum_rows": lambda x: x.sum(0),
    "dropout": lambda x: F.dropout(x, 0.1),
}
TURNS = 3


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


# ---- functions ------------------------------------------------------------------------------

def check_function(bench, name):
    """What is timed is PyTorch's result, but for the last digits."""
    torch.manual_seed(7)
    x = torch.randn(ROWS, COLUMNS).requires_grad_()
    torch.manual_seed(7)
    y = FUNCTIONS[name](x)
    y.backward(torch.ones_like(y))
    data = bench.program("bench_math", name, bench.threads, 0, ROWS, COLUMNS, text=False)
    result = torch.frombuffer(bytearray(data), dtype=torch.float32)
    for mine, expected in ((result[:y.numel()], y.detach()), (result[y.numel():], x.grad)):
        difference = (mine - expected.flatten()).abs().max()
        assert difference <= 1e-5 * max(1, expected.abs().max()), (name, difference)


def theirs(name, seconds):
    """PyTorch's nanoseconds an element, (forward, backward), timed as bench_math times."""
    x = torch.randn(ROWS, COLUMNS).requires_grad_()
    g = torch.ones_like(FUNCTIONS[name](x))
    best, begin = [float("inf")] * 2, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        y = FUNCTIONS[name](x)
        middle = time.perf_counter()
        y.backward(g)
        end = time.perf_counter()
        best = [min(best[0], middle - start), min(best[1], end - middle)]
        x.grad = None
    return [value / x.numel() * 1e9 for value in best]


def function_rows(bench, name):
    check_function(bench, name)
    for threads in sorted({1, bench.threads}):
        torch.set_num_threads(threads)
        pairs = [(*theirs(name, bench.seconds), *map(float, bench.program(
            "bench_math", name, threads, bench.seconds, ROWS, COLUMNS).split()))
            for _ in range(TURNS)]
        values = dict(zip(("torch", "torch_back", "kindling", "kindling_back"),
                          map(min, zip(*pairs))))
        row = {"function": name, "threads": threads, **values,
               "ratio": values["torch"] / values["kindling"],
               "ratio_back": values["torch_back"] / values["kindling_back"]}
        print(f"{name:14}{threads} threads  torch {row['torch']:7.3f} back {row['torch_back']:7.3f}  "
              f"kindling {row['kindling']:7.3f} ({row['ratio']:5.2f}x) back "
              f"{row['kindling_back']:7.3f} ({row['ratio_back']:5.2f}x)  ns/element", flush=True)
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
    lines += ["", "## Functions", "",
              f"Nanoseconds an element of f32 tensors of {ROWS} x {COLUMNS}, and of the way back.",
              "", "| function | threads | torch | Kindling | ratio | torch, back | Kindling, back | "
              "ratio |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for r in results["functions"]:
        lines.append(f"| {r['function']} | {r['threads']} | {r['torch']:.3f} | {r['kindling']:.3f} | "
                     f"**{r['ratio']:.2f}** | {r['torch_back']:.3f} | {r['kindling_back']:.3f} | "
                     f"**{r['ratio_back']:.2f}** |")
    return "\n".join(lines + [""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true", help="less time for each figure")
    parser.add_argument("--only", help="networks and functions whose names contain this")
    for name in ("json", "page"):
        parser.add_argument(f"--{name}", type=pathlib.Path)
    arguments = parser.parse_args()
    bench = Bench(arguments.build, 0.1 if arguments.quick else 0.6)

    def wanted(names):
        return [name for name in names if not arguments.only or arguments.only in name]

    results = {
        "machine": machine(),
        "networks": [row for name in wanted(NETWORKS) for row in network_rows(bench, name)],
        "functions": [row for name in wanted(FUNCTIONS) for row in function_rows(bench, name)],
    }
    for path, text in ((arguments.json, json.dumps(results, indent=1) + "\n"),
                       (arguments.page, page(results))):
        if path:
            path.write_text(text)


if __name__ == "__main__":
    main()
