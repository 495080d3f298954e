"""What Keras' RandomFlip, RandomRotation and RandomZoom make of formula images when the drawn numbers are given.

    python augmentation.py FOLDER > augmentation.json

writes each result in full to FOLDER (raw float32) and prints some of its values.
"""

import json
import pathlib
import sys
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

import formula

COUNT, HEIGHT, WIDTH = 6, 180, 180
FLIPS = [0.1, 0.9, 0.5, 0.500001, 0.0, 0.7]
ANGLES = [0.0, 36.0, -36.0, 17.3, -4.25, 90.0]
ZOOMS = [1.0, 0.8, 1.2, 0.93, 1.11, 1.9]
FILL_MODES = ["reflect", "wrap", "constant", "nearest"]
SAMPLES = 60


def drawn(numbers):
    """Stands in for the layer's random numbers."""
    return lambda shape, **_: tf.reshape(tf.constant(numbers, tf.float32), shape)


def run(layer, numbers, images):
    with mock.patch("keras.src.random.uniform", drawn(numbers)), mock.patch(
        "keras.src.backend.tensorflow.random.uniform", drawn(numbers)
    ):
        return layer(images, training=True)


def main(folder):
    images = tf.constant(formula.images("augment", (COUNT, HEIGHT, WIDTH, 3)))
    layers = keras.layers
    cases = []

    def record(config, value):
        flat = np.asarray(value, np.float32).reshape(-1)
        file = f"augment-{len(cases)}.f32"
        flat.tofile(folder / file)
        step = flat.size // SAMPLES
        samples = [float(f"{v:.9g}") for v in flat[::step][:SAMPLES]]
        cases.append({**config, "step": step, "samples": samples, "file": file})

    base = {"flip": "none", "rotation": 0, "zoom": 0, "fillMode": "reflect"}
    for mode in ["horizontal", "vertical", "horizontal_and_vertical"]:
        record({**base, "flip": mode}, run(layers.RandomFlip(mode), FLIPS, images))
    for fill in FILL_MODES:
        config = {**base, "fillMode": fill}
        record({**config, "rotation": 0.1}, run(layers.RandomRotation(0.1, fill_mode=fill), ANGLES, images))
        record({**config, "zoom": 0.2}, run(layers.RandomZoom(0.2, fill_mode=fill), ZOOMS, images))
        x = run(layers.RandomFlip("horizontal"), FLIPS, images)
        x = run(layers.RandomRotation(0.1, fill_mode=fill), ANGLES, x)
        x = run(layers.RandomZoom(0.2, fill_mode=fill), ZOOMS, x)
        record({**config, "flip": "horizontal", "rotation": 0.1, "zoom": 0.2}, x)
    head = {"keras": keras.__version__, "shape": [COUNT, HEIGHT, WIDTH, 3], "flips": FLIPS, "angles": ANGLES, "zooms": ZOOMS}
    print(json.dumps({**head, "cases": cases}))


main(pathlib.Path(sys.argv[1]))
