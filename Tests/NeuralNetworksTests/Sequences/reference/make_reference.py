#!/usr/bin/env python3
"""Writes the numbers that the sequence layer tests compare Rondo's layers with.

    python3 make_reference.py          (needs torch; a second)

writes layers.json beside itself: one object per case with the layer, its options and, computed by
PyTorch in double precision, the output, the final states and all gradients. Inputs, parameters and
upstream gradients are not stored; both sides make element i of the tensor TEXT of case NAME as

    h = FNV-1a (64 bits) of the UTF-8 bytes of "NAME/TEXT"
    z = h + (i + 1) * 0x9E3779B97F4A7C15, then SplitMix64's three xor-multiply steps
    value = ((z >> 11) * 2^-52 - 1) * scale, rounded to Float

with scale 0.8 for parameters and 1 for everything else. Element i counts along the flattened tensor in
Rondo's layout, which has the channels last; parameters have PyTorch's layout in both.
"""

import json
import math
import pathlib

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

MASK = (1 << 64) - 1


def values(text, shape, scale=1.0):
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    result = []
    for i in range(math.prod(shape)):
        z = (state + (i + 1) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        result.append(((z >> 11) * 2.0**-52 - 1) * scale)
    return torch.tensor(result, dtype=torch.float32).double().reshape(shape)


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


class Skipped(nn.Module):
    """Recurrent layers with identity skips or highways around those that keep the width."""

    def __init__(self, inputs, units, layers, kind):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.LSTM(inputs if k == 0 else units, units) for k in range(layers)
        )
        self.kind = kind
        if kind == "highway":
            self.gates = nn.ModuleDict(
                {
                    str(k): nn.Linear(units, units)
                    for k in range(layers)
                    if k > 0 or inputs == units
                }
            )

    def forward(self, x):
        for k, layer in enumerate(self.layers):
            y = layer(x)[0]
            if y.shape == x.shape:
                if self.kind == "residual":
                    y = x + y
                else:
                    g = torch.sigmoid(self.gates[str(k)](x))
                    y = g * y + (1 - g) * x
            x = y
        return x


class Bidirectional(nn.Module):
    """Two recurrent modules, the second over each sequence from its end; outputs side by side."""

    def __init__(self, ahead, behind):
        super().__init__()
        self.ahead, self.behind = ahead, behind

    def named_parameters(self, *arguments, **keywords):
        # "forward" is taken in a Module.
        for text, parameter in super().named_parameters(*arguments, **keywords):
            yield text.replace("ahead.", "forward.").replace("behind.", "backward."), parameter


class Block(nn.Module):
    """A residual block of linear maps."""

    def __init__(self, inputs, units, outputs):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, units), nn.Linear(units, outputs)
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Linear(inputs, outputs, bias=False))

    def forward(self, x):
        side = self.shortcut(x) if hasattr(self, "shortcut") else x
        return self.second(torch.tanh(self.first(x))) + side


def recurrent_module(case):
    o = case["options"]
    kind = {"rnnTanh": nn.RNN, "rnnRelu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[case["layer"]]
    keywords = {"nonlinearity": case["layer"][3:].lower()} if kind is nn.RNN else {}
    return kind(
        case["inputs"],
        case["units"],
        num_layers=o.get("layers", 1),
        bidirectional=o.get("bidirectional", False),
        bias=o.get("bias", True),
        batch_first=o.get("batchFirst", False),
        **keywords,
    )


def fill(module, name):
    module.double()
    with torch.no_grad():
        for text, parameter in module.named_parameters():
            parameter.copy_(values(f"{name}/{text}", list(parameter.shape), 0.8))


def finish(case, module, inputs, outputs):
    """Backward from outputs, a dict of name -> tensor in Rondo's layout; stores everything."""
    tensors = dict(outputs)
    total = sum(
        (y * values(f"{case['name']}/upstream.{text}", list(y.shape))).sum()
        for text, y in outputs.items()
    )
    total.backward()
    for text, x in inputs.items():
        tensors[f"gradient.{text}"] = x.grad
    for text, parameter in module.named_parameters():
        tensors[f"gradient.{text}"] = parameter.grad
    case["tensors"] = {
        text: {"shape": list(t.shape), "values": [float(f"{v:.6g}") for v in t.reshape(-1).tolist()]}
        for text, t in tensors.items()
    }
    return case


def leaf(case, text, shape):
    return values(f"{case['name']}/{text}", shape).requires_grad_()


def recurrent(case):
    module = recurrent_module(case)
    fill(module, case["name"])
    o, name = case["options"], case["name"]
    x = leaf(case, "x", case["x"])
    inputs = {"x": x}
    rows = case["x"][0 if o.get("batchFirst") else 1]
    steps = case["x"][1 if o.get("batchFirst") else 0]
    states = o.get("layers", 1) * (1 + o.get("bidirectional", False))
    initial = None
    if case.get("initial"):
        kinds = ["h0", "c0"] if case["layer"] == "lstm" else ["h0"]
        for text in [f"{kind}.{i}" for kind in kinds for i in range(states)]:
            inputs[text] = leaf(case, text, [rows, case["units"]])
        stacked = [torch.stack([inputs[f"{kind}.{i}"] for i in range(states)]) for kind in kinds]
        initial = tuple(stacked) if case["layer"] == "lstm" else stacked[0]
    if "lengths" in case:
        batch_first = o.get("batchFirst", False)
        packed = pack_padded_sequence(x, case["lengths"], batch_first, enforce_sorted=False)
        y, final = module(packed, initial)
        y, _ = pad_packed_sequence(y, batch_first, total_length=steps)
    else:
        y, final = module(x, initial)
    outputs = {"output": y}
    for kind, all_states in zip(["hn", "cn"], final if case["layer"] == "lstm" else [final]):
        outputs.update({f"{kind}.{i}": state for i, state in enumerate(all_states)})
    return finish(case, module, inputs, outputs)


def cell(case):
    kind = {
        "rnnTanh": lambda i, u: nn.RNNCell(i, u),
        "rnnRelu": lambda i, u: nn.RNNCell(i, u, nonlinearity="relu"),
        "lstm": nn.LSTMCell,
        "gru": nn.GRUCell,
    }[case["layer"]]
    module = kind(case["inputs"], case["units"])
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    h = leaf(case, "h0", [case["x"][0], case["units"]])
    inputs = {"x": x, "h0": h}
    # Two steps, the same input twice: the parameters collect two contributions.
    if case["layer"] == "lstm":
        c = leaf(case, "c0", [case["x"][0], case["units"]])
        inputs["c0"] = c
        h, c = module(x, module(x, (h, c)))
        return finish(case, module, inputs, {"hn": h, "cn": c})
    return finish(case, module, inputs, {"hn": module(x, module(x, h))})


def skipped(case):
    module = Skipped(case["inputs"], case["units"], case["options"]["layers"], case["layer"])
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    return finish(case, module, {"x": x}, {"output": module(x)})


def reversed_steps(x, lengths):
    rows = [torch.cat([x[:n, i].flip(0), x[n:, i] * 0]) for i, n in enumerate(lengths)]
    return torch.stack(rows, 1)


def bidirectional(case):
    """An LSTM ahead and a GRU of another width behind, or two stacks with skips."""
    inputs, units = case["inputs"], case["units"]
    layers = case["options"].get("layers", 1)
    lengths = case.get("lengths", [case["x"][0]] * case["x"][1])
    if layers == 1:
        module = Bidirectional(nn.LSTM(inputs, units), nn.GRU(inputs, units + 1))
    else:
        module = Bidirectional(
            Skipped(inputs, units, layers, "residual"), Skipped(inputs, units, layers, "residual")
        )
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    if layers > 1:
        turned = module.behind(x.flip(0)).flip(0)
        return finish(case, module, {"x": x}, {"output": torch.cat([module.ahead(x), turned], 2)})

    def run(part, x):
        y, final = part(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return pad_packed_sequence(y, total_length=x.shape[0])[0], final

    ahead, (h, c) = run(module.ahead, x)
    behind, last = run(module.behind, reversed_steps(x, lengths))
    outputs = {
        "output": torch.cat([ahead, reversed_steps(behind, lengths)], 2),
        "hn.0": h[0], "cn.0": c[0], "hn.1": last[0],
    }
    return finish(case, module, {"x": x}, outputs)


def composed(case):
    """Layers made of layers."""
    o, inputs = case["options"], case["x"][-1]
    module = {
        "sequential": lambda: nn.Sequential(
            nn.Linear(inputs, 7), nn.Tanh(), nn.Linear(7, o["outputs"])
        ),
        "residualBlock": lambda: Block(inputs, 7, o["outputs"]),
    }[case["layer"]]()
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    return finish(case, module, {"x": x}, {"output": module(x)})


def dropout(case):
    # Both sides draw masks of their own, so only the probability 0 can be compared.
    x = leaf(case, "x", case["x"])
    return finish(case, nn.Dropout(0.0), {"x": x}, {"output": nn.Dropout(0.0).train()(x)})


def embedding(case):
    o = case["options"]
    module = nn.Embedding(o["vocabulary"], o["width"], padding_idx=o.get("padding"))
    fill(module, case["name"])
    y = module(torch.tensor(case["tokens"]).reshape(case["x"]))
    return finish(case, module, {}, {"output": y})


def layer_norm(case):
    o = case["options"]
    module = nn.LayerNorm(
        o["normalized"], elementwise_affine=o.get("scaling", True), bias=o.get("bias", True)
    )
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    return finish(case, module, {"x": x}, {"output": module(x)})


def group_norm(case):
    module = nn.GroupNorm(case["options"]["groups"], case["x"][-1])
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    return finish(case, module, {"x": x}, {"output": channels_last(module(channels_first(x)))})


def convolution(case):
    o = case["options"]
    if case["layer"] == "conv1d":
        kind, keywords = nn.Conv1d, {}
    elif case["layer"] == "conv2d":
        kind, keywords = nn.Conv2d, {}
    else:
        kind = nn.ConvTranspose2d
        keywords = {"output_padding": tuple(o.get("outputPadding", [0, 0]))}
    pair = (lambda v: v[0]) if case["layer"] == "conv1d" else tuple
    module = kind(
        case["x"][-1],
        o["outputs"],
        pair(o["kernel"]),
        stride=pair(o.get("stride", [1, 1])),
        padding=pair(o.get("padding", [0, 0])),
        groups=o.get("groups", 1),
        bias=o.get("bias", True),
        **keywords,
    )
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    return finish(case, module, {"x": x}, {"output": channels_last(module(channels_first(x)))})


def linear(case):
    o = case["options"]
    module = nn.Linear(case["x"][-1], o["outputs"], bias=o.get("bias", True))
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    return finish(case, module, {"x": x}, {"output": module(x)})


def image_function(case):
    """Layers of images that have no options but windows."""
    o = case["options"]
    window = [tuple(o.get(key, default)) for key, default in
              [("kernel", [1, 1]), ("stride", o.get("kernel")), ("padding", [0, 0])] if "kernel" in o]
    module = {
        "maxPool2d": lambda: nn.MaxPool2d(*window),
        "averagePool2d": lambda: nn.AvgPool2d(*window),
        "globalAveragePool": lambda: nn.AdaptiveAvgPool2d(1),
        "batchNorm": lambda: {2: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(case["x"])](case["x"][-1]),
    }[case["layer"]]()
    fill(module, case["name"])
    x = leaf(case, "x", case["x"])
    return finish(case, module, {"x": x}, {"output": channels_last(module(channels_first(x)))})


ACTIVATIONS = {
    "relu": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "leakyRelu": nn.LeakyReLU(0.1),
    "elu": nn.ELU(0.5), "gelu": nn.GELU(), "geluTanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(), "softplus": nn.Softplus(), "logSigmoid": nn.LogSigmoid(),
    "softmax": nn.Softmax(-1), "logSoftmax": nn.LogSoftmax(-1),
}


def activation(case):
    module = ACTIVATIONS[case["name"].split("/")[1]]
    x = leaf(case, "x", case["x"])
    # Wider than the inputs' [-1, 1), so that the flat parts are seen.
    return finish(case, module, {"x": x}, {"output": module(4 * x)})


def flatten(case):
    x = leaf(case, "x", case["x"])
    return finish(case, nn.Flatten(), {"x": x}, {"output": nn.Flatten()(channels_first(x))})


def cases():
    for layer in ["rnnTanh", "rnnRelu", "lstm", "gru"]:
        small = dict(layer=layer, inputs=3, units=4, x=[4, 3, 3])
        variants = {
            "plain": {},
            "no-bias": dict(options=dict(bias=False)),
            "initial": dict(initial=True),
            "lengths": dict(lengths=[2, 4, 1], initial=True),
            "two-layers": dict(options=dict(layers=2), initial=True),
            "bidirectional": dict(options=dict(bidirectional=True), initial=True),
            "batch-first": dict(options=dict(batchFirst=True), x=[3, 4, 3]),
            "everything": dict(
                options=dict(layers=2, bidirectional=True, batchFirst=True),
                x=[3, 5, 3], lengths=[4, 1, 3], initial=True,
            ),
            "wide": dict(inputs=5, units=17, x=[5, 2, 5]),
        }
        if layer.startswith("rnn"):
            del variants["wide"]
        for variant, changes in variants.items():
            case = dict(small, **changes)
            case["name"] = f"{layer}/{variant}"
            case.setdefault("options", {})
            yield recurrent, case
        yield cell, dict(
            name=f"{layer}Cell", layer=layer, cell=True, options={}, inputs=3, units=4, x=[3, 3]
        )
    for kind in ["residual", "highway"]:
        for inputs in [3, 4]:
            yield skipped, dict(
                name=f"{kind}/{inputs}-inputs", layer=kind, options=dict(layers=3), inputs=inputs,
                units=4, x=[4, 3, inputs],
            )
    tokens = [1, 4, 4, 0, 2, 4]
    for name, options in [("plain", {}), ("padding", dict(padding=4))]:
        yield embedding, dict(
            name=f"embedding/{name}", layer="embedding", x=[2, 3], tokens=tokens,
            options=dict(vocabulary=6, width=5, **options),
        )
    for name, x, options in [
        ("last", [2, 3, 5], dict(normalized=[5])),
        ("two-dimensions", [2, 3, 5], dict(normalized=[3, 5])),
        ("no-bias", [4, 16], dict(normalized=[16], bias=False)),
        ("no-scaling", [3, 33], dict(normalized=[33], scaling=False)),
        ("many-rows", [67, 9], dict(normalized=[9])),
    ]:
        yield layer_norm, dict(name=f"layerNorm/{name}", layer="layerNorm", x=x, options=options)
    for groups, x in [(1, [2, 3, 4, 6]), (3, [2, 3, 4, 6]), (6, [2, 3, 4, 6]), (2, [3, 70, 4]), (2, [3, 8])]:
        yield group_norm, dict(
            name=f"groupNorm/{groups}-of-{'x'.join(map(str, x))}", layer="groupNorm", x=x,
            options=dict(groups=groups),
        )
    for name, x, options in [
        ("plain", [2, 7, 3], dict(kernel=[3], outputs=4)),
        ("padded", [2, 7, 3], dict(kernel=[3], outputs=4, padding=[1])),
        ("stride", [2, 8, 3], dict(kernel=[4], outputs=2, stride=[2], padding=[1], bias=False)),
        ("groups", [2, 7, 4], dict(kernel=[3], outputs=6, groups=2, padding=[2])),
        ("pointwise", [2, 5, 3], dict(kernel=[1], outputs=4)),
    ]:
        yield convolution, dict(name=f"conv1d/{name}", layer="conv1d", x=x, options=options)
    for name, x, options in [
        ("plain", [2, 3, 4, 3], dict(kernel=[3, 3], outputs=2)),
        ("stride", [2, 3, 4, 3], dict(kernel=[4, 4], outputs=2, stride=[2, 2], padding=[1, 1])),
        (
            "output-padding", [1, 3, 3, 2],
            dict(kernel=[3, 3], outputs=3, stride=[2, 2], padding=[1, 1], outputPadding=[1, 1]),
        ),
        (
            "unequal-sides", [1, 3, 4, 2],
            dict(kernel=[2, 3], outputs=2, stride=[1, 3], padding=[0, 1], outputPadding=[0, 2], bias=False),
        ),
        ("groups", [2, 3, 3, 4], dict(kernel=[3, 3], outputs=6, groups=2, stride=[2, 2], padding=[1, 1])),
        ("pointwise", [2, 2, 3, 3], dict(kernel=[1, 1], outputs=2)),
    ]:
        yield convolution, dict(
            name=f"convTranspose2d/{name}", layer="convTranspose2d", x=x, options=options
        )
    for name, x, options in [
        ("plain", [5, 7], dict(outputs=4)),
        ("no-bias", [5, 7], dict(outputs=4, bias=False)),
        ("three-dimensions", [2, 3, 17], dict(outputs=33)),
    ]:
        yield linear, dict(name=f"linear/{name}", layer="linear", x=x, options=options)
    for name, x, options in [
        ("plain", [2, 5, 6, 3], dict(kernel=[3, 3], outputs=4)),
        ("padded", [2, 6, 5, 3], dict(kernel=[3, 3], outputs=4, padding=[1, 1])),
        ("padded-wide", [2, 8, 8, 16], dict(kernel=[3, 3], outputs=16, padding=[1, 1])),
        ("stride", [2, 7, 7, 3], dict(kernel=[3, 3], outputs=2, stride=[2, 2], padding=[1, 1], bias=False)),
        ("five", [1, 9, 9, 2], dict(kernel=[5, 5], outputs=3)),
        ("unequal-sides", [1, 6, 8, 2], dict(kernel=[2, 3], outputs=3, stride=[1, 2], padding=[0, 1])),
        ("groups", [2, 5, 5, 4], dict(kernel=[3, 3], outputs=6, groups=2, padding=[1, 1])),
        ("depthwise", [2, 5, 5, 4], dict(kernel=[3, 3], outputs=4, groups=4, padding=[1, 1])),
        ("pointwise", [2, 3, 3, 5], dict(kernel=[1, 1], outputs=4)),
    ]:
        yield convolution, dict(name=f"conv2d/{name}", layer="conv2d", x=x, options=options)
    for layer in ["maxPool2d", "averagePool2d"]:
        for name, x, options in [
            ("plain", [2, 6, 4, 3], dict(kernel=[2, 2])),
            ("overlapping", [2, 7, 7, 2], dict(kernel=[3, 3], stride=[2, 2], padding=[1, 1])),
            ("unequal-sides", [1, 7, 6, 2], dict(kernel=[3, 2], stride=[2, 1])),
        ]:
            yield image_function, dict(name=f"{layer}/{name}", layer=layer, x=x, options=options)
    yield image_function, dict(
        name="globalAveragePool/plain", layer="globalAveragePool", x=[2, 5, 3, 4], options={}
    )
    for name, x in [("images", [3, 4, 5, 6]), ("one-channel", [4, 3, 3, 1]), ("vectors", [9, 17])]:
        yield image_function, dict(name=f"batchNorm/{name}", layer="batchNorm", x=x, options={})
    for name in ACTIVATIONS:
        yield activation, dict(name=f"activation/{name}", layer="activation", x=[5, 13], options={})
    yield flatten, dict(name="flatten/images", layer="flatten", x=[2, 3, 4, 5], options={})
    for name, changes in [
        ("plain", {}), ("lengths", dict(lengths=[2, 4, 1])), ("stacks", dict(options=dict(layers=2))),
    ]:
        yield bidirectional, dict(
            dict(layer="bidirectional", inputs=3, units=4, x=[4, 3, 3], options={}), **changes,
            name=f"bidirectional/{name}",
        )
    yield composed, dict(name="sequential/linear", layer="sequential", x=[3, 5], options=dict(outputs=4))
    for name, outputs in [("identity", 5), ("shortcut", 4)]:
        yield composed, dict(
            name=f"residualBlock/{name}", layer="residualBlock", x=[3, 5], options=dict(outputs=outputs)
        )
    yield dropout, dict(name="dropout/none", layer="dropout", x=[3, 5], options={})


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    done = [compute(case) for compute, case in cases()]
    path = pathlib.Path(__file__).with_name("layers.json")
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in done)
    path.write_text(f'{{"torch":"{torch.__version__}","cases":[\n{lines}\n]}}\n')
    print(f"{path}: {len(done)} cases, {path.stat().st_size} bytes")
