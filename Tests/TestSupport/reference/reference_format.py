"""The numbers that both sides of a comparison with PyTorch start from, and how results are stored.

Inputs are drawn from a text and an index (SplitMix64 at the text's FNV-1a hash), so only results need
storing; Tests/TestSupport/ReferenceCase.swift is the other side of this file. PyTorch computes in
double from inputs rounded to Float32; results are stored as Float32 in base64.
"""
import base64, json
import numpy as np, torch

MASK = (1 << 64) - 1

def signed(text, count):
    """In [-1, 1)."""
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0 ** -52 - 1

def drawn(text, shape, scale=1.0, offset=0.0):
    values = signed(text, int(np.prod(shape))) * scale + offset
    return torch.from_numpy(values.astype(np.float32).astype(np.float64).reshape(shape))

def stored(tensor):
    values = tensor.detach().contiguous().numpy().astype("<f4")
    return {"shape": list(values.shape), "values": base64.b64encode(values.tobytes()).decode()}

class Cases:
    def __init__(self):
        self.cases = {}

    def add(self, name, results):
        assert name not in self.cases, name
        self.cases[name] = {key: stored(value) for key, value in results.items()}

    def differentiated(self, name, inputs, parameters, function):
        """Stores the result, and the gradients of inputs and parameters for a random upstream gradient."""
        for tensor in [*inputs.values(), *parameters.values()]:
            tensor.requires_grad_(True)
        y = function()
        y.backward(drawn(f"{name}/upstream", y.shape))
        results = {"y": y}
        results |= {f"d.{key}": value.grad for key, value in inputs.items()}
        results |= {f"d.{key}": value.grad for key, value in parameters.items() if value.grad is not None}
        self.add(name, results)
        return y

    def write(self, path):
        with open(path, "w") as file:
            json.dump(self.cases, file, indent=0, sort_keys=True)
        print(f"{path}: {len(self.cases)} cases")

def start(name, module):
    """Gives every parameter its numbers: weights within 0.5, norms near 1."""
    module.double()
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            offset = 1.0 if "norm" in key and key.endswith("weight") else 0.0
            parameter.copy_(drawn(f"{name}/{key}", parameter.shape, 0.5, offset))
    return dict(module.named_parameters())
