#!/usr/bin/env python3
"""How much of twice one worker's rate two workers reach, and how much of two independent runs at once.

Two runs that have nothing to do with each other share the machine's caches, memory and neighbours as two
workers do: they show what the machine itself allows. The three are measured in turn; medians.

    scaling.py --rondo .build/release/rondo [--rounds 5] [--steps 30] [WORKLOAD ...]
"""

import argparse
import json
import statistics
import subprocess

WORKLOADS = ["mlp", "cnn", "resnet20", "lstm", "gpt", "seq2seq"]


def start(rondo, workload, workers, steps):
    command = [rondo, "bench", "train", workload, "--workers", str(workers), "--steps", str(steps), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def rate(process):
    output, _ = process.communicate(timeout=600)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(process.args)} ended with {process.returncode}")
    return json.loads(output)["samples_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rondo", default=".build/release/rondo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("workloads", nargs="*", default=WORKLOADS)
    options = parser.parse_args()
    print("workload   1 worker  2 workers  of twice one  2 runs at once  of these   (samples/s)")
    for workload in options.workloads:
        one, two, apart = [], [], []
        for _ in range(options.rounds):
            one.append(rate(start(options.rondo, workload, 1, options.steps)))
            two.append(rate(start(options.rondo, workload, 2, options.steps)))
            runs = [start(options.rondo, workload, 1, options.steps) for _ in range(2)]
            apart.append(sum(rate(run) for run in runs))
        of_twice = statistics.median(b / (2 * a) for a, b in zip(one, two))
        of_apart = statistics.median(b / c for b, c in zip(two, apart))
        one, two, apart = (statistics.median(rates) for rates in (one, two, apart))
        print(f"{workload:9} {one:9.0f} {two:10.0f} {100 * of_twice:11.1f} % {apart:15.0f} {100 * of_apart:7.1f} %", flush=True)


if __name__ == "__main__":
    main()
