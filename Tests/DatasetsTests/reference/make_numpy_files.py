#!/usr/bin/env python3
"""Writes numpy_files.json: small files as NumPy itself writes them, each as base64 under a name.

  python make_numpy_files.py     (NumPy 2)
"""
import base64, io, json, os, zipfile
import numpy as np

files = {}

def npy(name, array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    files[f"{name}.npy"] = stream.getvalue()

def npz(name, save, arrays):
    stream = io.BytesIO()
    save(stream, **arrays)
    files[f"{name}.npz"] = stream.getvalue()

images = (7 * np.arange(24)).astype("uint8").reshape(3, 2, 4)
colors = (5 * np.arange(36)).astype("uint8").reshape(3, 2, 2, 3)
labels = np.array([2, 0, 127])
tests = (3 * np.arange(16)).astype("uint8").reshape(2, 2, 4)
split = {"x_train": images, "y_train": labels, "x_test": tests, "y_test": np.array([1, 2], "uint8")}

npy("images", images)
npy("images-fortran", np.asfortranarray(images))
npy("colors", colors)
npy("colors-fortran", np.asfortranarray(colors))
npy("images-2.0", images, (2, 0))
npy("images-3.0", images, (3, 0))
for kind in "iu":
    for size in (1, 2, 4, 8):
        for order in "<>":
            npy(f"labels-{order}{kind}{size}", labels.astype(f"{order}{kind}{size}"))
npy("labels-column", labels.reshape(3, 1))
npy("labels-column-fortran", np.asfortranarray(labels.reshape(3, 1)))

npy("refused-float32", (images / np.float32(255)).astype("float32"))
npy("refused-bool", images > 3)
npy("refused-flat", images.reshape(3, 8))
npy("refused-empty", images[:0])
npy("refused-one-hot", np.eye(3, dtype="int32"))
npy("refused-float-labels", labels.astype("float64"))
npy("refused-large", np.array([0, 1, 2 ** 63 + 1], "uint64"))
npy("refused-negative", np.array([0, 1, -2 ** 31 - 1], "int64"))
npy("refused-objects", np.array([None, "a", 1], dtype=object))
npy("refused-records", np.zeros(3, [("image", "u1", (2, 4)), ("label", "<i8")]))

npz("stored", np.savez, split)
npz("deflated", np.savez_compressed, split)
# Has the directory written as that of an archive of more than 4 GiB or 65,535 entries.
limits = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = 10, 1
npz("zip64", np.savez_compressed, split)
zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limits
stream = io.BytesIO(files["stored.npz"])
with zipfile.ZipFile(stream, "a") as archive:
    archive.comment = b"PK\x05\x06 in a comment, as if the directory ended there"
files["comment.npz"] = stream.getvalue()
npz("fortran", np.savez_compressed, split | {"x_train": np.asfortranarray(images)})
stream = io.BytesIO()
with zipfile.ZipFile(stream, "w", zipfile.ZIP_BZIP2) as archive:
    for name in ("images", "labels-<i8"):
        archive.writestr(("x" if name == "images" else "y") + "_train.npy", files[f"{name}.npy"])
files["bzip2.npz"] = stream.getvalue()

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "numpy_files.json")
with open(path, "w") as file:
    json.dump({name: base64.b64encode(files[name]).decode() for name in sorted(files)}, file, indent=0)
    file.write("\n")
print(f"{len(files)} files, {sum(map(len, files.values()))} bytes, NumPy {np.__version__}")
