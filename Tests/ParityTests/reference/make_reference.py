#!/usr/bin/env python3
"""Writes the numbers that the parity tests compare Rondo's engine with.

    python3 make_reference.py          (needs torch and numpy; a minute on one core)

writes mlp.json, cnn.json and resnet20.json beside itself. Neither weights nor batches are stored:
both sides make them from the formula below, so a file holds only results.

The formula
-----------
All integers are unsigned, 64 bits wide, and wrap.

    stream(text)     FNV-1a of the UTF-8 bytes: h = 0xCBF29CE484222325; for each byte b:
                     h = (h xor b) * 0x100000001B3
    bits(text, i)    output number i (from 0) of SplitMix64 whose state starts at stream(text):
                     z = stream(text) + (i + 1) * 0x9E3779B97F4A7C15
                     z = (z xor (z >> 30)) * 0xBF58476D1CE4E5B9
                     z = (z xor (z >> 27)) * 0x94D049BB133111EB
                     z = z xor (z >> 31)
    signed(text, i)  (bits(text, i) >> 11) * 2^-52 - 1, a double in [-1, 1), exact

Element i counts along the flattened tensor in PyTorch's layout. Values are computed in double and
rounded once to Float:

    weight of two or more dimensions   signed("START/NAME", i) * sqrt(6 / fanIn), where fanIn is
                                       the product of all dimensions but the first; with two
                                       dimensions times the start's linearScale
    one-dimensional "*.weight"         1 + signed("START/NAME", i) / 8            (batch norm)
    one-dimensional "*.bias"           biasOffset + signed("START/NAME", i) / 8
    running mean, running variance     0, 1
    label n of batch s                 bits("labels/s", n) mod 10
    image n of batch s, pixel p        signed("images/s", 784 n + p)
                                       + signed("pattern/LABEL", p) / 8

A picture is thus noise with a trace of its class's pattern, so that ten steps can learn something.
The start is given with each set of results: its key, which replaces START ("cnn#3/hidden.bias"),
its biasOffset and its linearScale (0 and 1 but for the case explained below). Expressions are
evaluated in double from left to right; the root and each product and sum round once, as IEEE 754
has it.

What is stored
--------------
Losses are means over the batch of 16. A tensor is stored as its element count, its L2 norm, the
sums of its elements under 8 patterns of random signs (sign p of element i is minus where bit p of
bits("signs", i) is set) and some evenly strided elements (element floor(j * count / n) for j < n,
or all of them when there are fewer than n). For an error vector e the root mean square of the 8
projected errors estimates |e|, so the projections see an error in any element without storing the
elements.

    gradients         of the first batch's loss at the initial weights, and batch norm's running
                      mean and variance after that one forward pass
    runs              ten steps on batches 0...9 for each optimizer: the ten losses, the loss on
                      batch 0 in evaluation mode afterwards, and for each parameter the norm of
                      its final value and a summary of its change (final - initial), which shows
                      what the much larger weights would hide

The numbers are computed in double precision from the Float weights and batches: they are the
truth that both programs' float32 results scatter around, whatever the processor.

Edges
-----
An activation within rounding of a ReLU's edge, or a tie in max pooling, may go either way in
float32, and one that does moves a whole gradient of ResNet-20 by a few thousandths: no tolerance
would tell that from an error. So the script repeats each computation in PyTorch's float32 and
from weights disturbed by up to 2^-20 of themselves, and refuses to write a file if any of them
leaves a quarter of the tests' tolerance; another salt (CASES) then gives another start. ResNet-20
passes more than a million activations per batch, so that no salt keeps ten batches clear of
edges. Its runs start with biases of about 3 in batch norm, where only one unit in a thousand is
cut off, and with a smaller last layer to go with the larger features.

The script also refuses if a wrong rule of an optimizer would go unnoticed.
"""

import json
import math
import pathlib

import numpy
import torch
from torch.nn import functional

from networks import NETWORKS

BATCH_SIZE = 16
STEPS = 10
PROJECTIONS = 8
GRADIENT_ELEMENTS = 32
CHANGE_ELEMENTS = 8

# Tolerances of the tests, all relative to a norm. The bar for a change is wider because float32
# weights round at each step while they move by a hundredth of themselves or less.
GRADIENT_TOLERANCE = 1e-4
PARAMETER_TOLERANCE = 1e-4
CHANGE_TOLERANCE = 2e-3
LOSS_TOLERANCE = 1e-4


def start_of(model, salt, biasOffset=0.0, linearScale=1.0):
    return {"key": f"{model}#{salt}", "biasOffset": biasOffset, "linearScale": linearScale}


# Decay and the moments' rates are larger than one would train with, and not the defaults, so that
# ten steps show a rule that is missing or misplaced.
SGD = {"type": "sgd", "learningRate": 0.05, "momentum": 0.9, "nesterov": False, "weightDecay": 1e-2}
ADAM = {"type": "adam", "learningRate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
        "weightDecay": 0.0}
ADAMW = {"type": "adamw", "learningRate": 1e-3, "beta1": 0.8, "beta2": 0.98, "epsilon": 1e-5,
         "weightDecay": 0.1}

# A start away from the edges of ReLU; see above.
SETTLED = {"biasOffset": 3.0, "linearScale": 0.125}
CASES = {
    "mlp": {
        "gradients": start_of("mlp", 0),
        "sgd": (SGD, start_of("mlp", 0)),
        "nesterov": (SGD | {"nesterov": True}, start_of("mlp", 0)),
        "adam": (ADAM, start_of("mlp", 6)),
        "adamw": (ADAMW, start_of("mlp", 0)),
    },
    "cnn": {
        "gradients": start_of("cnn", 0),
        "sgd": (SGD | {"learningRate": 0.002}, start_of("cnn", 0)),
        "adam": (ADAM, start_of("cnn", 2)),
        "adamw": (ADAMW, start_of("cnn", 4)),
    },
    "resnet20": {
        "gradients": start_of("resnet20", 78),
        "sgd": (SGD | {"learningRate": 0.001}, start_of("resnet20", 1, **SETTLED)),
        "adam": (ADAM | {"epsilon": 1e-5}, start_of("resnet20", 1, **SETTLED)),
        # No AdamW: with beta2 = 0.98 it soon divides a bias's gradient by little but its own
        # rounding noise, and other kernels of OpenBLAS (SkylakeX, Nehalem) then leave the tolerance
        # of the change. The rule itself is held on the other two networks.
    },
}


# The formula.

def stream(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def bits(text, count):
    z = numpy.uint64(stream(text)) + (
        numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return z ^ (z >> numpy.uint64(31))


def signed(text, count):
    return (bits(text, count) >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1


def initial_value(start, name, shape):
    """The initial Float values of one parameter."""
    values = signed(f"{start['key']}/{name}", math.prod(shape))
    if len(shape) >= 2:
        scale = math.sqrt(6 / math.prod(shape[1:]))
        values = values * scale * (start["linearScale"] if len(shape) == 2 else 1)
    elif name.endswith(".weight"):
        values = 1 + values / 8
    else:
        values = start["biasOffset"] + values / 8
    return values.astype(numpy.float32).reshape(shape)


def batch(step, dtype):
    labels = (bits(f"labels/{step}", BATCH_SIZE) % numpy.uint64(10)).astype(numpy.int64)
    patterns = numpy.stack([signed(f"pattern/{label}", 784) for label in range(10)])
    noise = signed(f"images/{step}", BATCH_SIZE * 784).reshape(BATCH_SIZE, 784)
    images = (noise + patterns[labels] / 8).astype(numpy.float32)
    images = torch.from_numpy(images.reshape(BATCH_SIZE, 1, 28, 28))
    return images.to(dtype), torch.from_numpy(labels)


# Running PyTorch.

def network(model, start, dtype, disturbance=None):
    """The model at a start's weights; a disturbance (label, fraction) shifts each a little."""
    net = NETWORKS[model]()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            values = initial_value(start, name, tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(values))
    net.to(dtype)
    if disturbance is not None:
        label, fraction = disturbance
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                noise = fraction * signed(f"{label}/{name}", parameter.numel())
                parameter.mul_(1 + torch.from_numpy(noise).reshape(parameter.shape))
    return net


def as_doubles(tensors):
    return {name: tensor.detach().double().flatten().numpy().copy() for name, tensor in tensors}


def first_batch(model, start, dtype, disturbance=None):
    """Loss, gradients and running statistics of one forward and backward pass."""
    net = network(model, start, dtype, disturbance)
    images, labels = batch(0, dtype)
    loss = functional.cross_entropy(net(images), labels)
    loss.backward()
    gradients = as_doubles((name, value.grad) for name, value in net.named_parameters())
    statistics = as_doubles(
        (name, value) for name, value in net.named_buffers() if ".running_" in name)
    return loss.item(), gradients, statistics


def torch_optimizer(settings, parameters):
    rate, decay = settings["learningRate"], settings["weightDecay"]
    if settings["type"] == "sgd":
        return torch.optim.SGD(
            parameters, rate, momentum=settings["momentum"], nesterov=settings["nesterov"],
            weight_decay=decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings["type"]]
    return kind(
        parameters, rate, betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"],
        weight_decay=decay)


def ten_steps(model, start, settings, dtype, disturbance=None):
    """The ten losses, the evaluation loss, the final parameters and what they changed by."""
    net = network(model, start, dtype, disturbance)
    initial = as_doubles(net.named_parameters())
    optimizer = torch_optimizer(settings, net.parameters())
    losses = []
    for step in range(STEPS):
        images, labels = batch(step, dtype)
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        images, labels = batch(0, dtype)
        evaluation_loss = functional.cross_entropy(net(images), labels).item()
    final = as_doubles(net.named_parameters())
    return losses, evaluation_loss, final, {name: final[name] - initial[name] for name in final}


# Storing.

def rounded(value):
    return float(f"{value:.9g}")


def summary(values, element_count):
    count = len(values)
    patterns = bits("signs", count)
    projections = []
    for pattern in range(PROJECTIONS):
        negative = (patterns >> numpy.uint64(pattern)) & numpy.uint64(1) == 1
        projections.append(math.fsum(numpy.where(negative, -values, values)))
    taken = range(count) if count <= element_count else [
        j * count // element_count for j in range(element_count)]
    return {
        "count": count,
        "norm": rounded(numpy.linalg.norm(values)),
        "projections": [rounded(value) for value in projections],
        "elements": [rounded(values[i]) for i in taken],
    }


def encoded(value, depth=0):
    """JSON with one line for each tensor or list, so that a change reads well as a diff."""
    nested = isinstance(value, dict) and any(isinstance(item, dict) for item in value.values())
    if not nested:
        return json.dumps(value, separators=(",", ":"))
    pad = " " * (depth + 1)
    lines = [f"{pad}{json.dumps(name)}: {encoded(item, depth + 1)}" for name, item in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}" + ("\n" if depth == 0 else "")


# Refusing numbers that would not make a good test.

def relative_error(values, reference):
    """The largest |values - reference| / |reference| over the tensors of two dictionaries."""
    errors = {
        name: numpy.linalg.norm(values[name] - reference[name]) / numpy.linalg.norm(reference[name])
        for name in reference}
    worst = max(errors, key=errors.get)
    return errors[worst], worst


def check_steady(label, error, tolerance):
    print(f"  {label:56} {error:.1e} of {tolerance:.0e}")
    if not error < tolerance / 4:
        raise SystemExit(f"{label}: off by {error:.1e}; choose another salt or a smaller rate")


def check_visible(label, error, tolerance):
    print(f"  {label:56} {error:.1e} seen by {tolerance:.0e}")
    if not error > tolerance * 3:
        raise SystemExit(f"{label}: only {error:.1e}; the tests would not notice")


def others(function, arguments, fraction):
    """The same computation in float32 and, in double, from slightly disturbed starts."""
    yield "float32", function(*arguments, torch.float32)
    for number in range(1, 5):
        label = f"disturbed {number}"
        yield label, function(*arguments, torch.float64, (label, fraction))


def reference(model):
    print(model)
    cases = dict(CASES[model])
    gradients = reference_gradients(model, cases.pop("gradients"))
    return {
        "model": model,
        "batchSize": BATCH_SIZE,
        "shapes": {
            name: list(value.shape) for name, value in NETWORKS[model]().named_parameters()},
        "witness": witness(model),
        "gradients": gradients,
        "runs": {run: reference_run(model, run, *case) for run, case in cases.items()},
    }


def witness(model):
    """Lets the other side see, before anything is trained, that its formula is the same."""
    images, labels = batch(0, torch.float64)
    start = list(CASES[model].values())[-1][1]
    parameters = NETWORKS[model]().named_parameters()
    return {
        "bits": [str(value) for value in bits("witness", 4)],
        "labels": labels.tolist(),
        "images": summary(images.flatten().numpy(), CHANGE_ELEMENTS),
        "start": start,
        "parameters": {
            name: summary(
                initial_value(start, name, value.shape).flatten().astype(numpy.float64), 2)
            for name, value in parameters},
    }


def reference_gradients(model, start):
    loss, gradients, statistics = first_batch(model, start, torch.float64)
    for label, other in others(first_batch, (model, start), 2.0**-20):
        check_steady(f"loss, {label}", abs(other[0] - loss) / loss, LOSS_TOLERANCE)
        error, worst = relative_error(other[1], gradients)
        check_steady(f"gradient, {label}, {worst}", error, GRADIENT_TOLERANCE)
        if statistics:
            error, worst = relative_error(other[2], statistics)
            check_steady(f"statistics, {label}, {worst}", error, GRADIENT_TOLERANCE)
    return {
        "start": start,
        "loss": rounded(loss),
        "parameters": {
            name: summary(values, GRADIENT_ELEMENTS) for name, values in gradients.items()},
        "statistics": {
            name: summary(values, GRADIENT_ELEMENTS) for name, values in statistics.items()},
    }


def reference_run(model, run, settings, start):
    arguments = (model, start, settings)
    losses, evaluation_loss, final, change = ten_steps(*arguments, torch.float64)
    print(f"  {run}: losses {losses[0]:.4f} ... {losses[-1]:.4f}, evaluation {evaluation_loss:.4f}")
    for label, other in others(ten_steps, arguments, 2.0**-20):
        pairs = zip(other[0] + [other[1]], losses + [evaluation_loss])
        error = max(abs(a - b) / b for a, b in pairs)
        check_steady(f"{run} losses, {label}", error, LOSS_TOLERANCE)
        error, worst = relative_error(other[2], final)
        check_steady(f"{run} parameters, {label}, {worst}", error, PARAMETER_TOLERANCE)
        error, worst = relative_error(other[3], change)
        check_steady(f"{run} change, {label}, {worst}", error, CHANGE_TOLERANCE)
    for label, wrong in wrong_rules(settings).items():
        wrong_change = ten_steps(model, start, wrong, torch.float64)[3]
        error, worst = relative_error(wrong_change, change)
        check_visible(f"{run} with {label}, {worst}", error, CHANGE_TOLERANCE)
    return {
        "start": start,
        "settings": settings,
        "losses": [rounded(value) for value in losses],
        "evaluationLoss": rounded(evaluation_loss),
        "parameterNorms": {
            name: rounded(numpy.linalg.norm(values)) for name, values in final.items()},
        "changes": {name: summary(values, CHANGE_ELEMENTS) for name, values in change.items()},
    }


def wrong_rules(settings):
    wrong = {}
    if settings["weightDecay"] > 0:
        wrong["no decay"] = settings | {"weightDecay": 0.0}
    if settings["type"] == "sgd":
        wrong["nesterov turned"] = settings | {"nesterov": not settings["nesterov"]}
    if settings["type"] == "adamw":
        wrong["decay as in adam"] = settings | {"type": "adam"}
        wrong["epsilon 1e-8"] = settings | {"epsilon": 1e-8}
    return wrong


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder = pathlib.Path(__file__).resolve().parent
    for model in NETWORKS:
        path = folder / f"{model}.json"
        path.write_text(encoded(reference(model)))
        print(f"  {path.name}: {path.stat().st_size} bytes")
