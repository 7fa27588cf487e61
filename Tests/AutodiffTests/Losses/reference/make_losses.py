#!/usr/bin/env python3
"""Writes losses.json: PyTorch's losses as sums, their means, and the gradients of the sums times 0.7.

  python make_losses.py     (PyTorch 2)
"""
import os, sys
import torch, torch.nn.functional as F
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../TestSupport/reference"))
from reference_format import Cases, drawn

cases = Cases()

def loss(name, shapes, function, mean=None, scale=2.0):
    inputs = {key: drawn(f"{name}/{key}", shape, scale).requires_grad_(True) for key, shape in shapes.items()}
    total = function(*inputs.values(), "sum")
    average = function(*inputs.values(), "mean") if mean is None else mean(*inputs.values())
    (0.7 * total).backward()
    cases.add(name, {"sum": total, "mean": average} | {f"d.{key}": value.grad for key, value in inputs.items()})

labels = torch.tensor([2, 0, 4, 1, 1, 3])
ignored = torch.tensor([2, -100, 4, 1, -100, 3])
classes = torch.tensor([0.5, 2.0, 1.0, 0.25, 1.5], dtype=torch.float64)
rows = torch.tensor([1.0, 0.5, 0.0, 2.0, 1.0, 3.0], dtype=torch.float64)
x = {"x": (6, 5)}
ce = F.cross_entropy
loss("cross-entropy", x, lambda x, r: ce(x, labels, reduction=r))
loss("cross-entropy large", {"x": (6, 5)}, lambda x, r: ce(x, labels, reduction=r), scale=60.0)
loss("cross-entropy wide", {"x": (6, 70)}, lambda x, r: ce(x, labels, reduction=r))
loss("cross-entropy ignored", x, lambda x, r: ce(x, ignored, reduction=r))
loss("cross-entropy smoothed", x, lambda x, r: ce(x, labels, reduction=r, label_smoothing=0.1))
loss("cross-entropy classes", x, lambda x, r: ce(x, labels, weight=classes, reduction=r))
loss("cross-entropy all", x, lambda x, r: ce(x, ignored, weight=classes, reduction=r, label_smoothing=0.3))
loss("cross-entropy rows", x, lambda x, r: (ce(x, labels, reduction="none") * rows).sum() / (1 if r == "sum" else rows.sum()))
softmax = {"": (x, labels, 2.0), " ignored": (x, ignored, 2.0), " large": ({"x": (6, 70)}, labels, 60.0)}
for name, (shapes, wanted, scale) in softmax.items():
    loss(f"softmax cross-entropy{name}", shapes, lambda x, r: ce(x, wanted, reduction=r), scale=scale)
target = drawn("target", (6, 5)).abs()
target = (target / target.sum(1, keepdim=True)).float().double()
cases.add("target", {"target": target})
loss("cross-entropy soft", x, lambda x, r: ce(x, target, reduction=r))
loss("cross-entropy soft classes", x, lambda x, r: ce(x, target, weight=classes, reduction=r))
loss("negative log-likelihood", x, lambda x, r: F.nll_loss(F.log_softmax(x, 1), labels, reduction=r))
loss("negative log-likelihood all", x, lambda x, r: F.nll_loss(F.log_softmax(x, 1), ignored, weight=classes, reduction=r))

values = drawn("values", (6, 5), 2.0)
loss("squared", x, lambda x, r: F.mse_loss(x, values, reduction=r))
loss("squared rows", x, lambda x, r: ((x - values) ** 2 * rows[:, None]).sum() / (1 if r == "sum" else 5 * rows.sum()))
loss("absolute", x, lambda x, r: F.l1_loss(x, values, reduction=r))
loss("huber", x, lambda x, r: F.huber_loss(x, values, reduction=r))
loss("huber wide", x, lambda x, r: F.huber_loss(x, values, reduction=r, delta=2.5))
loss("logistic", x, lambda x, r: F.binary_cross_entropy_with_logits(x, target, reduction=r))
loss("logistic large", x, lambda x, r: F.binary_cross_entropy_with_logits(x, target, reduction=r), scale=80.0)
loss("logistic positives", x, lambda x, r: F.binary_cross_entropy_with_logits(x, target, reduction=r, pos_weight=classes))
def divergence(to, log):
    return lambda x, r: F.kl_div(F.log_softmax(x, 1), to, log_target=log, reduction="sum" if r == "sum" else "batchmean")
sparse = target.clone(); sparse[0] = 0; sparse[0, 1] = 1
loss("divergence", x, divergence(sparse, False))
loss("divergence of logs", x, divergence(values, True))
gaussian = lambda m, s: -0.5 * (1 + s - m ** 2 - s.exp())
loss("gaussian divergence", {"means": (4, 7), "logs": (4, 7)},
     lambda m, s, r: gaussian(m, s).sum() / (1 if r == "sum" else 4))
signs = torch.tensor([1, -1, -1, 1, -1, 1])
loss("cosine", {"a": (6, 5), "b": (6, 5)}, lambda a, b, r: F.cosine_embedding_loss(a, b, signs, margin=0.1, reduction=r))
def negative_sampling(c, p, n, r):
    total = -F.logsigmoid((c * p).sum(-1)).sum() - F.logsigmoid(-(c[:, None] * n).sum(-1)).sum()
    return total if r == "sum" else total / len(c)
loss("negative sampling", {"centers": (4, 9), "positives": (4, 9), "negatives": (4, 3, 9)}, negative_sampling)

def ctc(name, n, t, k, sequences, lengths, blank=0, scale=2.0, zero=False):
    flat = torch.tensor([label for labels in sequences for label in labels])
    sizes = torch.tensor([len(labels) for labels in sequences])
    def function(x, reduction):
        total = F.ctc_loss(F.log_softmax(x, 2).transpose(0, 1), flat, torch.tensor(lengths), sizes, blank=blank,
                           reduction="sum", zero_infinity=zero)
        return total if reduction == "sum" else total / n
    loss(name, {"x": (n, t, k)}, function, scale=scale)
ctc("ctc", 3, 7, 5, [[1, 2, 3], [4, 4], [2]], [7, 7, 7])
ctc("ctc lengths", 3, 7, 5, [[1, 2, 3], [4, 4], [2]], [7, 3, 4], scale=5.0)
ctc("ctc blank", 2, 6, 4, [[0, 1, 1], []], [6, 5], blank=3)
ctc("ctc long", 1, 90, 6, [[1, 2, 3, 3, 4, 5, 5, 5, 1, 2, 1, 2, 3, 4]], [90], scale=3.0)
ctc("ctc impossible", 2, 4, 4, [[1, 2, 3, 1, 2], [1]], [4, 4], zero=True)

cases.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.json"))
