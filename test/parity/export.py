"""Loads exported models with Keras and prints their probabilities and their layers.

Argument: a folder with cases.json, [{"name", "size", "files"}], and <name>.images, uint8 RGB, one image after the other.
"""

import json
import pathlib
import sys

import keras
import numpy as np


def describe(path, images):
    model = keras.models.load_model(path)
    return {
        "probabilities": np.asarray(model(images, training=False)).tolist(),
        "layers": [layer.name for layer in model.layers],
        "trainable": [variable.path for variable in model.trainable_variables],
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    result = {}
    for case in json.loads((folder / "cases.json").read_text()):
        size = case["size"]
        pixels = np.fromfile(folder / f"{case['name']}.images", dtype=np.uint8)
        images = pixels.reshape(-1, size, size, 3).astype("float32")
        for file in case["files"]:
            result[file] = describe(str(folder / file), images)
            keras.backend.clear_session()
    print(json.dumps({"keras": keras.__version__, "files": result}))


main()
