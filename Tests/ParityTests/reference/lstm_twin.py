#!/usr/bin/env python3
"""Trains the language model of configs/text-lstm.json in PyTorch: what a fair rival reaches.

    python3 lstm_twin.py TEXT [--seed S] [--steps N] [--cell lstm|gru|rnn] [--hidden H] [--layers L]
                              [--embedding E] [--skip none|residual]

Needs torch. Net, data, split, batch, optimizer, schedule and number of steps are those of the
configuration: random windows of 64 characters from the first 90 % of the text, 32 a step, Adam with
a linear warm-up and a cosine. Initial weights and windows come from PyTorch's own generators, so
the figures are equal only within what a seed changes. The last line is the mean loss in nats over
all of the last 10 %, read in windows of 64 from a zero state, as Rondo measures it.
"""

import argparse
import math
import time

import torch
from torch.nn import functional

CONTEXT = 64
BATCH = 32
PEAK, MINIMUM, WARMUP = 0.002, 0.0002, 100


class Net(torch.nn.Module):
    def __init__(self, symbols, options):
        super().__init__()
        cell = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[options.cell]
        self.embedding = torch.nn.Embedding(symbols, options.embedding)
        self.is_residual = options.skip == "residual"
        if self.is_residual:
            widths = [options.embedding] + [options.hidden] * options.layers
            self.layers = torch.nn.ModuleList(
                cell(before, options.hidden, batch_first=True) for before in widths[:-1])
        else:
            self.stack = cell(
                options.embedding, options.hidden, options.layers, batch_first=True)
        self.output = torch.nn.Linear(options.hidden, symbols)

    def forward(self, x):
        x = self.embedding(x)
        if not self.is_residual:
            return self.output(self.stack(x)[0])
        for layer in self.layers:
            y = layer(x)[0]
            x = x + y if x.shape == y.shape else y
        return self.output(x)


def learning_rate(step, steps):
    if step < WARMUP:
        return PEAK * (step + 1) / WARMUP
    progress = (step - WARMUP) / (steps - WARMUP)
    return MINIMUM + (PEAK - MINIMUM) * (1 + math.cos(math.pi * progress)) / 2


def validation_loss(net, text):
    total = 0.0
    with torch.no_grad():
        whole = (len(text) - 1) // CONTEXT
        inputs = text[: whole * CONTEXT].view(whole, CONTEXT)
        targets = text[1 : whole * CONTEXT + 1].view(whole, CONTEXT)
        pieces = list(zip(inputs.split(256), targets.split(256)))
        if whole * CONTEXT < len(text) - 1:
            pieces.append((text[whole * CONTEXT : -1][None], text[whole * CONTEXT + 1 :][None]))
        for x, y in pieces:
            total += functional.cross_entropy(
                net(x).flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / (len(text) - 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--cell", choices=["lstm", "gru", "rnn"], default="lstm")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--embedding", type=int, default=64)
    parser.add_argument("--skip", choices=["none", "residual"], default="none")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    with open(options.text, encoding="utf-8", newline="") as file:
        text = file.read()
    symbols = sorted(set(text))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    tokens = torch.tensor([number[symbol] for symbol in text])
    cut = int(len(tokens) * 0.9)
    training, validation = tokens[:cut], tokens[cut:]

    net = Net(len(symbols), options)
    optimizer = torch.optim.Adam(net.parameters(), lr=PEAK)
    begin = time.time()
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps)
        starts = torch.randint(len(training) - CONTEXT, (BATCH,))
        windows = torch.stack([training[start : start + CONTEXT + 1] for start in starts])
        loss = functional.cross_entropy(
            net(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 200 == 0:
            seconds = time.time() - begin
            print(f"step {step + 1}: loss {loss.item():.4f}, {seconds:.0f} s", flush=True)
    print(f"validation loss {validation_loss(net, validation):.4f}")


if __name__ == "__main__":
    main()
