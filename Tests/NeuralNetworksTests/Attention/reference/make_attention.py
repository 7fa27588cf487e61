#!/usr/bin/env python3
"""Writes attention.json: PyTorch's attention and Transformer layers on small inputs.

  python make_attention.py     (PyTorch 2; any version gives the same Float32 numbers)
"""
import os, sys
import torch, torch.nn as nn, torch.nn.functional as F
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../TestSupport/reference"))
from reference_format import Cases, drawn, start

cases = Cases()

def padding(lengths, steps):
    return None if lengths is None else torch.arange(steps)[None] >= torch.tensor(lengths)[:, None]

def causal(steps):
    return torch.ones(steps, steps).triu(1).bool()

def attention(name, n, tq, width, heads, tk=None, lengths=None, is_causal=False, kdim=None, vdim=None):
    layer = nn.MultiheadAttention(width, heads, batch_first=True, kdim=kdim, vdim=vdim)
    parameters = start(name, layer)
    inputs = {"x": drawn(f"{name}/x", (n, tq, width))}
    keys = values = inputs["x"]
    if tk is not None:
        inputs["keys"] = keys = values = drawn(f"{name}/keys", (n, tk, kdim or width))
        if vdim is not None:
            inputs["values"] = values = drawn(f"{name}/values", (n, tk, vdim))
    maps = []
    def forward():
        y, weights = layer(inputs["x"], keys, values, key_padding_mask=padding(lengths, keys.shape[1]),
                           attn_mask=causal(tq) if is_causal else None, average_attn_weights=False)
        maps.append(weights)
        return y
    cases.differentiated(name, inputs, parameters, forward)
    if tq <= 8:
        cases.add(f"{name} map", {"map": maps[0]})

attention("self", 2, 5, 8, 2)
attention("self one head", 3, 4, 6, 1)
attention("self one step", 2, 1, 8, 2)
attention("causal", 2, 7, 12, 3, is_causal=True)
attention("padding", 3, 5, 8, 2, lengths=[5, 3, 1])
attention("causal padding", 2, 6, 8, 4, lengths=[6, 2], is_causal=True)
attention("cross", 2, 4, 8, 2, tk=6)
attention("cross padding", 2, 4, 8, 2, tk=6, lengths=[6, 2])
attention("cross widths", 2, 4, 8, 2, tk=3, kdim=6, vdim=10)
attention("two tiles", 1, 70, 8, 2, is_causal=True)
attention("two tiles padding", 1, 67, 4, 1, lengths=[66])
attention("five tiles", 1, 258, 4, 1, is_causal=True)

def transformer(name, kind, n, tq, width, heads, hidden, tk=None, is_causal=False, lengths=None, **options):
    layer = kind(width, heads, hidden, dropout=0.0, batch_first=True, **options)
    parameters = start(name, layer)
    inputs = {"x": drawn(f"{name}/x", (n, tq, width))}
    mask = causal(tq) if is_causal else None
    if tk is None:
        forward = lambda: layer(inputs["x"], src_mask=mask, src_key_padding_mask=padding(lengths, tq))
    else:
        inputs["memory"] = drawn(f"{name}/memory", (n, tk, width))
        forward = lambda: layer(inputs["x"], inputs["memory"], tgt_mask=mask,
                                memory_key_padding_mask=padding(lengths, tk))
    cases.differentiated(name, inputs, parameters, forward)

gelu_tanh = lambda x: F.gelu(x, approximate="tanh")
encoder, decoder = nn.TransformerEncoderLayer, nn.TransformerDecoderLayer
transformer("encoder post relu", encoder, 2, 5, 8, 2, 16)
transformer("encoder post gelu padding", encoder, 2, 5, 8, 2, 16, activation="gelu", lengths=[5, 2])
transformer("encoder pre relu", encoder, 2, 5, 8, 2, 16, norm_first=True)
transformer("encoder pre gelu causal", encoder, 2, 6, 8, 4, 20, activation="gelu", norm_first=True, is_causal=True)
transformer("encoder pre tanh causal", encoder, 1, 9, 12, 3, 20, activation=gelu_tanh, norm_first=True, is_causal=True)
transformer("encoder no bias", encoder, 2, 4, 8, 2, 16, activation="gelu", norm_first=True, bias=False)
transformer("decoder post relu", decoder, 2, 5, 8, 2, 16, tk=4, is_causal=True)
transformer("decoder pre gelu", decoder, 2, 5, 8, 2, 16, tk=6, is_causal=True, activation="gelu", norm_first=True)
transformer("decoder post padding", decoder, 2, 3, 8, 2, 16, tk=6, is_causal=True, lengths=[6, 3])

def scored(name, score, queries, keys, lengths, parameters):
    inputs = {"queries": drawn(f"{name}/queries", queries), "keys": drawn(f"{name}/keys", keys)}
    def forward():
        scores = score(inputs["queries"], inputs["keys"])
        if lengths is not None:
            scores = scores.masked_fill(padding(lengths, keys[1])[:, None], float("-inf"))
        return scores.softmax(-1) @ inputs["keys"]
    cases.differentiated(name, inputs, parameters, forward)

for name, queries, keys, hidden, lengths in [
        ("additive", (2, 3, 5), (2, 4, 6), 7, None), ("additive padding", (2, 3, 5), (2, 4, 6), 7, [4, 2]),
        ("additive wide", (1, 1, 8), (1, 5, 8), 35, None)]:
    layer = nn.ModuleDict({"query": nn.Linear(queries[2], hidden), "key": nn.Linear(keys[2], hidden, bias=False),
                           "score": nn.Linear(hidden, 1, bias=False)})
    parameters = start(name, layer)
    scored(name, lambda q, k: layer["score"](torch.tanh(layer["query"](q)[:, :, None] + layer["key"](k)[:, None]))[..., 0],
           queries, keys, lengths, parameters)
scored("multiplicative dot", lambda q, k: q @ k.transpose(1, 2), (2, 3, 6), (2, 5, 6), [5, 3], {})
weight = {"weight": drawn("multiplicative general/weight", (5, 6), 0.5)}
scored("multiplicative general", lambda q, k: q @ weight["weight"] @ k.transpose(1, 2), (2, 3, 5), (2, 4, 6), None, weight)

for form, approximate in [("erf", "none"), ("tanh", "tanh")]:
    name = f"linear gelu {form}"
    layer = nn.Linear(6, 19)
    parameters = start(name, layer)
    inputs = {"x": drawn(f"{name}/x", (5, 6), 4.0)}
    cases.differentiated(name, inputs, parameters, lambda: F.gelu(layer(inputs["x"]), approximate=approximate))

feed_forward = {"relu": (torch.relu, True), "gelu erf": (F.gelu, True), "gelu tanh": (gelu_tanh, True),
                "gelu no bias": (F.gelu, False)}
for form, (activation, bias) in feed_forward.items():
    name = f"feed-forward {form}"
    layer = nn.ModuleDict({"linear1": nn.Linear(6, 19, bias=bias), "linear2": nn.Linear(19, 6, bias=bias)})
    parameters = start(name, layer)
    inputs = {"x": drawn(f"{name}/x", (2, 3, 6))}
    cases.differentiated(name, inputs, parameters, lambda: layer["linear2"](activation(layer["linear1"](inputs["x"]))))

name = "positions learned"
table = {"weight": drawn(f"{name}/weight", (9, 6), 0.5)}
inputs = {"x": drawn(f"{name}/x", (2, 4, 6))}
cases.differentiated(name, inputs, table, lambda: inputs["x"] + table["weight"][3:7])
steps, width = torch.arange(50, dtype=torch.float64)[:, None], 10
angles = steps / 10000 ** (torch.arange(0, width, 2) / width)
cases.add("positions sinusoidal", {"y": torch.stack([angles.sin(), angles.cos()], -1).reshape(1, 50, width)})

cases.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention.json"))
