"""Saves MobileNetV2 with formula weights as Keras 3 .weights.h5 and as a legacy .h5 file.

    python weight-files.py FOLDER
"""

import pathlib
import sys

import h5py
import keras
from keras.src.legacy.saving import legacy_h5_format

import formula


def main(folder):
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3))
    for layer in base.layers:
        for variable in layer.weights:
            variable.assign(formula.weight(f"{layer.name}/{variable.name}", tuple(variable.shape)))
    base.save_weights(folder / "keras3.weights.h5")
    with h5py.File(folder / "legacy.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, base)
    # As Keras before 3.12 or so wrote it: without the layers' names.
    with h5py.File(folder / "keras3.weights.h5") as source, h5py.File(folder / "unnamed.weights.h5", "w") as file:
        source.copy("layers", file)
        for group in file["layers"].values():
            group["vars"].attrs.pop("name", None)
    # As Keras' published files of 2018: other names, same order.
    with h5py.File(folder / "legacy.h5") as source, h5py.File(folder / "renamed.h5", "w") as file:
        names = [name for name in source.attrs["layer_names"] if len(source[name].attrs["weight_names"])]
        file.attrs["layer_names"] = [f"mobl_{index}".encode() for index in range(len(names))]
        for index, name in enumerate(names):
            source.copy(name, file, f"mobl_{index}")


main(pathlib.Path(sys.argv[1]))
