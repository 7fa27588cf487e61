#!/usr/bin/env python3
"""Loads a model that Rondo wrote into the PyTorch module of the same name, strictly.

    python3 load_state_dict.py MODEL.safetensors [--network mlp|cnn|resnet20]
                               [--data FOLDER] [--mean M --deviation D]
    python3 load_state_dict.py --write OUT.safetensors --network NAME      (the other direction)

Needs torch and safetensors. Every tensor must be there under PyTorch's name and in PyTorch's
shape and type, and none may be left over. Without --network the one whose names fit is taken.
With --data, a folder with Fashion-MNIST's t10k files in IDX (.gz or not), it prints the accuracy
and the mean loss on the test split. The pixels' mean and deviation come from the config.json
beside the model where there is one, else they are Fashion-MNIST's.

--write stores a freshly initialised PyTorch module, to be read by Rondo.
"""

import argparse
import gzip
import json
import pathlib
import struct
import sys

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from networks import NETWORKS


def fitting_network(tensors):
    """The name of the network whose parameters are exactly the file's."""
    for name, network in NETWORKS.items():
        if {key for key, _ in network().named_parameters()} <= set(tensors):
            return name
    raise SystemExit("no network of networks.py has these tensors: " + ", ".join(sorted(tensors)))


def idx(folder, name):
    """An IDX file of bytes as a tensor, packed or not."""
    path = pathlib.Path(folder) / name
    packed = path.with_name(name + ".gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    zero, kind, rank = struct.unpack_from(">HBB", content)
    if zero != 0 or kind != 8:
        raise SystemExit(f"{path}: not an IDX file of bytes")
    shape = struct.unpack_from(f">{rank}I", content, 4)
    return torch.frombuffer(bytearray(content[4 + 4 * rank:]), dtype=torch.uint8).reshape(shape)


def normalisation(arguments):
    configuration = arguments.model.resolve().parent / "config.json"
    data = json.loads(configuration.read_text())["data"] if configuration.exists() else {}
    mean, deviation = data.get("mean", [0.2860]), data.get("standardDeviation", [0.3530])
    return (
        mean[0] if arguments.mean is None else arguments.mean,
        deviation[0] if arguments.deviation is None else arguments.deviation,
    )


def evaluate(network, arguments):
    mean, deviation = normalisation(arguments)
    images = idx(arguments.data, "t10k-images-idx3-ubyte").float().div(255)
    images = images.sub(mean).div(deviation).unsqueeze(1)
    labels = idx(arguments.data, "t10k-labels-idx1-ubyte").long()
    correct, loss = 0, 0.0
    network.eval()
    with torch.no_grad():
        for some, expected in zip(images.split(500), labels.split(500)):
            logits = network(some)
            correct += (logits.argmax(1) == expected).sum().item()
            loss += functional.cross_entropy(logits, expected, reduction="sum").item()
    count = len(labels)
    print(f"test_accuracy {correct / count:.4f}  test_loss {loss / count:.6f}  ({correct}/{count})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path, nargs="?")
    parser.add_argument("--network", choices=NETWORKS)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--mean", type=float)
    parser.add_argument("--deviation", type=float)
    parser.add_argument("--write", type=pathlib.Path, metavar="OUT")
    arguments = parser.parse_args()
    if (arguments.model is None) == (arguments.write is None):
        parser.error("give a model to load, or --write with --network")

    if arguments.write is not None:
        if arguments.network is None:
            parser.error("--write needs --network")
        torch.manual_seed(0)
        save_file(NETWORKS[arguments.network]().state_dict(), arguments.write)
        return

    tensors = load_file(arguments.model)
    name = arguments.network or fitting_network(tensors)
    network = NETWORKS[name]()
    expected = network.state_dict()
    for key, value in tensors.items():
        if key in expected and value.dtype != expected[key].dtype:
            sys.exit(f"{key} is {value.dtype}, PyTorch has {expected[key].dtype}")
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        sys.exit(str(error))
    scalars = sum(value.numel() for value in network.parameters())
    print(f"{name}: {len(tensors)} tensors, {scalars} trained scalars, loaded strictly")
    if arguments.data is not None:
        evaluate(network, arguments)


if __name__ == "__main__":
    main()
