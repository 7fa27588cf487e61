#!/usr/bin/env python3
"""Writes optimizers.json: the parameters after each of ten steps of PyTorch's optimizers, and ten rates of
its schedules.

  python make_optimizers.py     (PyTorch 2)

Gradients are 0.5 w + noise, so that an error of one step moves the next ones.
"""
import os, sys
import torch
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../TestSupport/reference"))
from reference_format import Cases, drawn

cases = Cases()
STEPS, COUNT = 10, 37

def steps(name, make, prepare=None, schedule=None, after=None):
    values = drawn("start", (COUNT,)).requires_grad_(True)
    optimizer = make(values)
    scheduler = schedule(optimizer) if schedule else None
    rows, rates = [], []
    for step in range(STEPS):
        values.grad = 0.5 * values.detach() + drawn(f"noise/{step}", (COUNT,))
        if prepare: prepare(values)
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler: scheduler.step()
        rows.append(values.detach().clone() if after is None else after(values.detach(), step))
    results = {"values": torch.stack(rows)}
    if scheduler: results["rates"] = torch.tensor(rates, dtype=torch.float64)
    cases.add(name, results)

o = torch.optim
steps("sgd", lambda w: o.SGD([w], 0.1, weight_decay=0.01))
steps("sgd momentum", lambda w: o.SGD([w], 0.1, momentum=0.9, weight_decay=0.01))
steps("sgd nesterov", lambda w: o.SGD([w], 0.1, momentum=0.9, nesterov=True))
steps("adam", lambda w: o.Adam([w], 0.05, betas=(0.8, 0.95), weight_decay=0.1))
steps("adamw", lambda w: o.AdamW([w], 0.05, weight_decay=0.1))
steps("rmsprop", lambda w: o.RMSprop([w], 0.02))
steps("rmsprop momentum", lambda w: o.RMSprop([w], 0.02, alpha=0.9, momentum=0.9, weight_decay=0.1))
steps("rmsprop centred", lambda w: o.RMSprop([w], 0.02, alpha=0.9, centered=True, eps=1e-4))
steps("rmsprop centred momentum", lambda w: o.RMSprop([w], 0.02, alpha=0.9, centered=True, momentum=0.5, eps=1e-4))
steps("adagrad", lambda w: o.Adagrad([w], 0.2))
steps("adagrad decays", lambda w: o.Adagrad([w], 0.2, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5))
steps("adadelta", lambda w: o.Adadelta([w], 1.0))
steps("adadelta decay", lambda w: o.Adadelta([w], 0.5, rho=0.8, eps=1e-5, weight_decay=0.1))

clip = torch.nn.utils
steps("clip norm", lambda w: o.SGD([w], 0.1, momentum=0.9), lambda w: clip.clip_grad_norm_([w], 2.0))
steps("clip norm unused", lambda w: o.SGD([w], 0.1), lambda w: clip.clip_grad_norm_([w], 50.0))
steps("clip value", lambda w: o.Adam([w], 0.05), lambda w: clip.clip_grad_value_([w], 0.3))

def grouped(kind, **options):
    """Elements 0-15 and 32-36 without decay and, with `faster`, at twice the rate."""
    class Groups:
        def __init__(self, w):
            self.w, self.parts = w, [w[:16], w[16:32], w[32:]]
            self.leaves = [part.detach().clone().requires_grad_(True) for part in self.parts]
            plain = dict(weight_decay=0.0, lr=2 * options["lr"])
            self.inner = kind([dict(params=[self.leaves[0], self.leaves[2]], **plain), dict(params=[self.leaves[1]])], **options)
            self.param_groups = self.inner.param_groups
        def step(self):
            for leaf, part in zip(self.leaves, [self.w.grad[:16], self.w.grad[16:32], self.w.grad[32:]]):
                leaf.grad = part.clone()
            self.inner.step()
            with torch.no_grad(): self.w.copy_(torch.cat(self.leaves))
    return Groups
steps("groups adamw", grouped(o.AdamW, lr=0.05, weight_decay=0.2))
steps("groups sgd", grouped(o.SGD, lr=0.05, momentum=0.9, weight_decay=0.2))

def averaged(decay, warms_up=False):
    rule = dict(multi_avg_fn=o.swa_utils.get_ema_multi_avg_fn(decay))
    if warms_up: rule = dict(avg_fn=lambda old, new, n: torch.lerp(old, new, 1 - torch.minimum(torch.tensor(decay, dtype=torch.float64), (1 + n) / (10 + n))))
    model = o.swa_utils.AveragedModel(torch.nn.Linear(COUNT, 1, bias=False).double(), **rule)
    with torch.no_grad(): model.module.weight.copy_(drawn("start", (1, COUNT)))
    model.n_averaged += 1
    def after(values, step):
        source = torch.nn.Linear(COUNT, 1, bias=False).double()
        with torch.no_grad(): source.weight.copy_(values[None])
        model.update_parameters(source)
        return model.module.weight.detach()[0].clone()
    return after
steps("average", lambda w: o.SGD([w], 0.1), after=averaged(0.9))
# n_averaged counts the start as the first.
steps("average warms up", lambda w: o.SGD([w], 0.1), after=averaged(0.4, warms_up=True))

s = o.lr_scheduler
sgd = lambda w: o.SGD([w], 0.4)
steps("schedule constant", sgd, schedule=lambda p: s.ConstantLR(p, 1.0))
steps("schedule warm-up", sgd, schedule=lambda p: s.LinearLR(p, 0.25, 1.0, 3))
steps("schedule step", sgd, schedule=lambda p: s.StepLR(p, 3, 0.5))
steps("schedule cosine", sgd, schedule=lambda p: s.CosineAnnealingLR(p, 10, 0.04))
steps("schedule warm-up, cosine", sgd, schedule=lambda p: s.SequentialLR(p, [s.LinearLR(p, 1 / 3, 1.0, 2), s.CosineAnnealingLR(p, 7, 0.04)], [3]))
steps("schedule warm-up, step", sgd, schedule=lambda p: s.LambdaLR(p, lambda n: (n + 1) / 2 if n < 2 else 0.5 ** (n // 3)))
steps("schedule one cycle", sgd, schedule=lambda p: s.OneCycleLR(p, 0.4, total_steps=11, cycle_momentum=False))
steps("schedule one cycle short", sgd, schedule=lambda p: s.OneCycleLR(p, 0.4, total_steps=20, pct_start=0.25, div_factor=10, final_div_factor=100, cycle_momentum=False))
steps("schedule inverse square root", sgd, schedule=lambda p: s.LambdaLR(p, lambda n: min((n + 1) / 4, (4 / (n + 1)) ** 0.5)))

cases.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optimizers.json"))
