#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kindling beside PyTorch in one run on one machine: figures as JSON, a page and a plot.

Usage: against_torch.py BUILD [--quick] [--json FILE] [--page FILE] [--plot FILE]

BUILD is a release build with KINDLING_BENCH=ON. Before anything is timed, its result is compared
with PyTorch's, bit for bit. Every figure is the best of several; Kindling's and PyTorch's are taken
in turn. Ratios are what to read: times depend on the machine and on what else it does.
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import torch

HERE = pathlib.Path(__file__).resolve().parent

DTYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16,
          "bf16": torch.bfloat16, "i64": torch.int64}
SIZES = {"1 K": 1 << 10, "64 K": 1 << 16, "1 M": 1 << 20, "64 M": 1 << 26}

# What bench_ops does, in PyTorch's words.
TORCH_OPS = {
    "fill": lambda t: t.fill_(1.5),
    "uniform": lambda t: t.uniform_(-1, 2),
    "normal": lambda t: t.normal_(0.1, 0.7),
    "trunc_normal": lambda t: torch.nn.init.trunc_normal_(t, a=-2, b=2),
    "bernoulli": lambda t: t.bernoulli_(0.3),
    "exponential": lambda t: t.exponential_(1),
    "randperm": lambda t: torch.randperm(t.numel(), dtype=t.dtype),
    "orthogonal": lambda t: torch.nn.init.orthogonal_(square(t)),
    "sparse": lambda t: torch.nn.init.sparse_(square(t), 0.1),
}
FILLS = [("fill", "f32")] + [(op, dtype) for op in ("uniform", "normal")
                             for dtype in ("f32", "bf16", "f16", "f64")]
OTHERS = [("trunc_normal", "f32", 50_000_000), ("bernoulli", "f32", 1 << 20),
          ("exponential", "f32", 1 << 20), ("randperm", "i64", 1 << 20),
          ("sparse", "f32", 1 << 20), ("orthogonal", "f32", 512 * 512),
          ("orthogonal", "f32", 2048 * 2048)]
INEXACT = {"orthogonal"}  # without MKL: compared within 1e-4 instead


def square(tensor):
    side = int(tensor.numel() ** 0.5)
    return tensor[:side * side].view(side, side)


class Bench:
    def __init__(self, build, seconds):
        self.build, self.seconds = pathlib.Path(build), seconds
        self.threads = len(os.sched_getaffinity(0))
        self.memsets = {}

    def program(self, name, *arguments, text=True):
        path = self.build / "bench" / name
        done = subprocess.run([path, *map(str, arguments)], stdout=subprocess.PIPE, text=text)
        if done.returncode:
            sys.exit(f"{path} {' '.join(map(str, arguments))} failed")
        return done.stdout

    def ours(self, op, dtype, numel, threads):
        return float(self.program("bench_ops", op, dtype, numel, threads, self.seconds))

    def theirs(self, op, tensor):
        """PyTorch's nanoseconds an element, timed as bench_ops times."""
        run, best, begin = TORCH_OPS[op], float("inf"), time.perf_counter()
        run(tensor)
        once = time.perf_counter() - begin
        group = int(2e-4 / (once + 1e-9)) + 1 if once < 1e-4 else 1
        while True:
            start = time.perf_counter()
            for _ in range(group):
                run(tensor)
            best = min(best, (time.perf_counter() - start) / group)
            if time.perf_counter() - begin > self.seconds:
                return best / tensor.numel() * 1e9

    def memset(self, nbytes):
        if nbytes not in self.memsets:
            self.memsets[nbytes] = self.ours("memset", "f32", nbytes // 4, 1) / 4
        return self.memsets[nbytes]

    def compare(self, op, dtype, numel):
        """One row: both libraries, one after the other and again."""
        tensor = torch.ones(numel, dtype=DTYPES[dtype])
        torch.set_num_threads(1)
        row = {"op": op, "dtype": dtype, "numel": numel}
        row["torch"] = self.theirs(op, tensor)
        row["kindling"] = self.ours(op, dtype, numel, 1)
        row["torch"] = min(row["torch"], self.theirs(op, tensor))
        row["kindling"] = min(row["kindling"], self.ours(op, dtype, numel, 1))
        torch.set_num_threads(self.threads)
        row["torch_all"] = self.theirs(op, tensor)
        row["kindling_all"] = self.ours(op, dtype, numel, self.threads)
        row["memset"] = self.memset(numel * tensor.element_size()) * tensor.element_size()
        row["ratio"] = row["torch"] / row["kindling"]
        row["ratio_all"] = row["torch_all"] / row["kindling_all"]
        row["to_memset"] = row["kindling"] / row["memset"]
        print(f"{op:14}{dtype:6}{numel:>12,}  torch {row['torch']:9.3f}  kindling "
              f"{row['kindling']:8.3f} ({row['ratio']:6.1f}x)  all threads "
              f"{row['kindling_all']:8.3f} ({row['ratio_all']:6.1f}x)  memset "
              f"{row['memset']:7.3f}  ns/element", flush=True)
        return row


def check_equal(bench, op, dtype, numel):
    """Asserts that what is timed is PyTorch's result, with one thread and with several."""
    expected = torch.ones(numel, dtype=DTYPES[dtype])
    torch.manual_seed(7)
    produced = TORCH_OPS[op](expected)
    expected = produced if op == "randperm" else expected
    for threads in (1, 3):
        data = bench.program("bench_ops", op, dtype, numel, threads, 0, text=False)
        ours = torch.frombuffer(bytearray(data), dtype=DTYPES[dtype])
        if op in INEXACT:
            assert torch.allclose(ours, expected, atol=1e-4), (op, dtype, numel)
        else:
            assert torch.equal(ours, expected), (op, dtype, numel)


# ---- whole models ---------------------------------------------------------------------------

def timed(call):
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def from_config(config, folder):
    """Seconds of from_config, and of save_pretrained, in a process of their own."""
    code = f"""
import json, sys, time, torch, transformers
config = transformers.AutoConfig.for_model(**json.load(open({str(config)!r})))
torch.manual_seed(42)
begin = time.perf_counter()
model = transformers.AutoModelForCausalLM.from_config(config)
middle = time.perf_counter()
model.save_pretrained({str(folder)!r})
print(middle - begin, time.perf_counter() - middle)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return tuple(map(float, done.stdout.split()[-2:]))


def same_file(a, b):
    from safetensors import safe_open
    with safe_open(a, "pt") as first, safe_open(b, "pt") as second:
        return sorted(first.keys()) == sorted(second.keys()) and all(
            torch.equal(first.get_tensor(name), second.get_tensor(name)) for name in first.keys())


def model_row(bench, name, config, repeats):
    """A model from its configuration to a file: the program against transformers."""
    program = bench.build / "kindling"
    row = {"model": name, "torch_init": 1e9, "torch_save": 1e9, "kindling": 1e9, "kindling_sync": 1e9}
    with tempfile.TemporaryDirectory(dir=bench.build) as folder:
        out, theirs = pathlib.Path(folder) / "ours.safetensors", pathlib.Path(folder) / "theirs"
        command = [program, "init", config, "--seed", "42", "--quiet", "--force",
                   "--threads", str(bench.threads), "-o", out]
        for index in range(repeats):
            init, save = from_config(config, theirs)
            if init + save < row["torch_init"] + row["torch_save"]:
                row["torch_init"], row["torch_save"] = init, save
            out.unlink(missing_ok=True)
            seconds, _ = timed(lambda: subprocess.run(command, check=True))
            row["kindling"] = min(row["kindling"], seconds)
            if index == 0:
                assert same_file(out, theirs / "model.safetensors"), name
            row["nbytes"] = out.stat().st_size
            out.unlink()
            seconds, _ = timed(lambda: subprocess.run(command + ["--sync"], check=True))
            row["kindling_sync"] = min(row["kindling_sync"], seconds)
    row["ratio_init"] = row["torch_init"] / row["kindling"]
    row["ratio"] = (row["torch_init"] + row["torch_save"]) / row["kindling"]
    print(f"{name:14}from_config {row['torch_init']:7.2f} s, with save_pretrained "
          f"{row['torch_init'] + row['torch_save']:7.2f} s, kindling init {row['kindling']:6.3f} s "
          f"({row['ratio_init']:.1f}x, {row['ratio']:.1f}x), with fsync {row['kindling_sync']:6.3f} s",
          flush=True)
    return row


def plan_row(bench, name):
    best, median, most = map(float, bench.program(
        "bench_plan", HERE / "configs" / f"{name}.json", 1).split())
    print(f"{name:14}plan {best:7.2f} ms, 1 MB from the middle of a tensor {median:.3f} ms "
          f"(median of 101; most {most:.3f})", flush=True)
    return {"model": name, "plan_ms": best, "slice_ms": median, "slice_most_ms": most}


# ---- the page and the plot ------------------------------------------------------------------

def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.machine())
    flags = open("/proc/cpuinfo").read()
    best = "AVX-512" if " avx512vl" in flags else "AVX2" if " avx2" in flags else "neither AVX2"
    return {"processor": model, "instructions": best, "cpus": len(os.sched_getaffinity(0)),
            "system": f"{platform.system()} {platform.release()}", "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d")}


def page(results):
    m = results["machine"]
    lines = [
        "# Performance", "",
        "Written by `./dev bench`, which compares every result with PyTorch's before it times it.",
        f"{m['processor']}, {m['instructions']}, {m['cpus']} processors, {m['system']}, torch "
        f"{m['torch']}, {m['date']}. Best of several, in turn; read the ratios.", "",
        "![Speed-up over PyTorch](performance.svg)", "",
        "## Fills", "",
        "Nanoseconds an element, destination in touched pages. *memset* writes as many bytes.", "",
        "| op | dtype | elements | torch | Kindling, 1 thread | ratio | all threads | ratio | memset "
        "| to memset |", "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for r in results["fills"]:
        lines.append(f"| {r['op']} | {r['dtype']} | {r['numel']:,} | {r['torch']:.3f} | "
                     f"{r['kindling']:.3f} | **{r['ratio']:.1f}** | {r['kindling_all']:.3f} | "
                     f"{r['ratio_all']:.1f} | {r['memset']:.3f} | {r['to_memset']:.2f} |")
    lines += ["", "## Models", "",
              "From `config.json` to a `.safetensors` file, the page cache warm, all threads; every "
              "tensor compared.", "",
              "| model | GB | from_config, s | with save_pretrained, s | kindling init, s | ratio | "
              "ratio with saving | kindling with fsync, s |",
              "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for r in results["models"]:
        lines.append(f"| {r['model']} | {r['nbytes'] / 1e9:.2f} | {r['torch_init']:.2f} | "
                     f"{r['torch_init'] + r['torch_save']:.2f} | {r['kindling']:.3f} | "
                     f"{r['ratio_init']:.1f} | **{r['ratio']:.1f}** | {r['kindling_sync']:.3f} |")
    lines += ["", "## Random access", "",
              "One thread. The slice is 1 MB from the middle of a tensor, by a plan that has "
              "computed nothing near.", "",
              "| model | plan from its configuration, ms | a slice, ms (median) | (most) |",
              "|---|---:|---:|---:|"]
    for r in results["plans"]:
        lines.append(f"| {r['model']} | {r['plan_ms']:.2f} | {r['slice_ms']:.3f} | "
                     f"{r['slice_most_ms']:.3f} |")
    lines += ["", "## Jumping ahead", "", "```", results["jump"].rstrip(), "```", ""]
    return "\n".join(lines)


def plot(results):
    """Ratios over PyTorch at the largest size, one thread, as bars."""
    largest = max(r["numel"] for r in results["fills"] if r["op"] == "uniform")
    rows = [r for r in results["fills"] if r["numel"] in (largest, 50_000_000) and r["op"] != "fill"]
    width, bar, left = 720, 22, 150
    most = max(r["ratio"] for r in rows)
    height = 40 + len(rows) * bar
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="13">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             '<text x="10" y="20">times as fast as PyTorch, one thread, equal bits</text>']
    for i, r in enumerate(rows):
        y, length = 32 + i * bar, (width - left - 70) * r["ratio"] / most
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{r["op"]} {r["dtype"]}</text>')
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="{bar - 6}" '
                     'fill="#c2571a"/>')
        parts.append(f'<text x="{left + length + 6:.1f}" y="{y + 14}">{r["ratio"]:.1f}</text>')
    return "\n".join(parts + ["</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true", help="small sizes, GPT-2 only")
    for name in ("json", "page", "plot"):
        parser.add_argument(f"--{name}", type=pathlib.Path)
    arguments = parser.parse_args()
    bench = Bench(arguments.build, 0.05 if arguments.quick else 0.6)
    sizes = [n for n in SIZES.values() if not arguments.quick or n <= 1 << 20]
    cases = [(op, dtype, numel) for numel in sizes for op, dtype in FILLS]
    cases += [("uniform", "f32", 100), ("normal", "f32", 100)]
    cases += [case for case in OTHERS if not arguments.quick or case[2] <= 1 << 20]
    for op, dtype, numel in cases:
        check_equal(bench, op, dtype, min(numel, 1 << 20))
    models = {"GPT-2 124M": (HERE.parent / "examples" / "gpt2" / "config.json", 5)}
    if not arguments.quick:
        models["Llama 1.1B"] = (HERE / "configs" / "llama-1.1b.json", 3)
    results = {
        "machine": machine(),
        "fills": [bench.compare(*case) for case in cases],
        "models": [model_row(bench, name, *rest) for name, rest in models.items()],
        "plans": [plan_row(bench, name) for name in ("llama-70b", "llama-405b")],
        "jump": bench.program("bench_jump"),
    }
    print(results["jump"])
    for path, text in ((arguments.json, json.dumps(results, indent=1) + "\n"),
                       (arguments.page, page(results)), (arguments.plot, plot(results))):
        if path:
            path.write_text(text)


if __name__ == "__main__":
    main()
