"""Saves bases with formula weights as Keras does and did, and damaged copies of such files.

    python weight-files.py FOLDER
"""

import pathlib
import shutil
import sys

import h5py
import keras
from keras.src.legacy.saving import legacy_h5_format

import keras_models

# A member of each family, small ones where there is a choice.
BACKBONES = [
    "vgg16",
    "xception",
    "resnet50",
    "resnet50_v2",
    "mobilenet_0.25",
    "mobilenet_v2_0.35",
    "efficientnet_b0",
    "efficientnet_v2_b0",
    "densenet121",
]
SMALL = "mobilenet_0.25"


def save(base, folder, name):
    base.save_weights(folder / f"{name}.weights.h5")
    with h5py.File(folder / f"{name}.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, base)


def save_older(folder, name):
    # As Keras before 3.12 or so wrote it: without the layers' names.
    with h5py.File(folder / f"{name}.weights.h5") as source, h5py.File(folder / "unnamed.weights.h5", "w") as file:
        source.copy("layers", file)
        for group in file["layers"].values():
            group["vars"].attrs.pop("name", None)
    # As Keras' published files of 2018: other names, same order.
    with h5py.File(folder / f"{name}.h5") as source, h5py.File(folder / "renamed.h5", "w") as file:
        names = [layer for layer in source.attrs["layer_names"] if len(source[layer].attrs["weight_names"])]
        file.attrs["layer_names"] = [f"mobl_{index}".encode() for index in range(len(names))]
        for index, layer in enumerate(names):
            source.copy(layer, file, f"mobl_{index}")


def save_whole(base, folder):
    base.save(folder / "whole.keras")
    inputs = keras.Input(base.input_shape[1:])
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(base(inputs)))
    keras.Model(inputs, outputs).save(folder / "nested.keras")
    legacy_h5_format.save_model_to_hdf5(base, str(folder / "whole.h5"))


def save_damaged(folder, name):
    paths = {"h5": "conv_pw_3_bn/conv_pw_3_bn/beta", "weights.h5": "layers/batch_normalization_6/vars/1"}
    for ending, path in paths.items():
        source = folder / f"{name}.{ending}"
        for damage in ["missing", "shape"]:
            copy = folder / f"{damage}.{ending}"
            shutil.copy(source, copy)
            with h5py.File(copy, "a") as file:
                parent, _, leaf = path.rpartition("/")
                leaf = next(key for key in file[parent] if key.startswith(leaf))
                del file[parent][leaf]
                if damage == "shape":
                    file[parent].create_dataset(leaf, data=[0.5] * 7, dtype="float32")
        content = source.read_bytes()
        (folder / f"truncated.{ending}").write_bytes(content[: len(content) * 3 // 4])


def main(folder):
    for name in BACKBONES:
        base = keras_models.build(name, 75)
        keras_models.fill(base)
        save(base, folder, name)
        if name == SMALL:
            save_older(folder, name)
            save_whole(base, folder)
            save_damaged(folder, name)


main(pathlib.Path(sys.argv[1]))
