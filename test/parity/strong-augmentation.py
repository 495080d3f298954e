"""What Keras' RandAugment, MixUp and CutMix make of formula images when the drawn numbers are given.

    python strong-augmentation.py FOLDER > strong-augmentation.json

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
from recording import recorded

COUNT, SIZE = 4, 96
MAGNITUDE = 0.5
LAYERS = keras.layers.RandAugment._AUGMENT_LAYERS
PAIRS = [[2, 5], [10, 0], [7, 7], [8, 6], [1, 9], [4, 3]]
# One row of uniform numbers per image, in the order in which RandAugment draws: shear (sign, y, x), translation (down, right),
# rotation, brightness, color degeneration, contrast, sharpness, solarization (addition, threshold).
UNIFORM = [
    [0.2, 0.11, 0.43, 0.09, 0.31, 17.3, 0.21, 0.35, 1.42, 0.05, 33.0, 71.5],
    [0.9, 0.27, 0.08, 0.44, 0.02, 164.0, 0.03, 0.12, 1.07, 0.49, 0.0, 120.0],
]
BITS = [3, 1]
SAMPLES = 40
BETA_ALPHAS = [0.2, 1.0]
WEIGHTS = [0.3, 0.999, 0.5, 0.0]
ACROSS = [0.1, 0.8, 0.0, 0.6]
DOWN = [0.7, 0.25, 1.0, 0.33]
ORDER = [2, 0, 3, 1]
LABELS = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]


class Draws:
    """Random functions of Keras that return given numbers, and keep the bounds they were called with."""

    def __init__(self, uniform=(), integers=(), beta=(), order=()):
        self.left = {"uniform": list(uniform), "randint": list(integers), "beta": list(beta), "shuffle": list(order)}
        self.bounds = []

    def uniform(self, shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
        self.bounds.append([float(minval), float(maxval)])
        return tf.reshape(tf.constant(self.left["uniform"].pop(0), tf.float32), shape)

    def randint(self, shape, minval, maxval, dtype="int32", seed=None):
        self.bounds.append([float(minval), float(maxval)])
        return tf.cast(tf.reshape(tf.constant(self.left["randint"].pop(0)), shape), dtype)

    def beta(self, shape, alpha, beta, dtype=None, seed=None):
        return tf.reshape(tf.constant(self.left["beta"].pop(0), tf.float32), shape)

    def shuffle(self, x, axis=0, seed=None):
        return tf.constant(self.left["shuffle"].pop(0), x.dtype)

    def __enter__(self):
        place = "keras.src.backend.tensorflow.random"
        names = ["uniform", "randint", "beta", "shuffle"]
        self.patches = [mock.patch(f"{place}.{name}", getattr(self, name)) for name in names]
        for patch in self.patches:
            patch.start()
        return self

    def __exit__(self, kind, *_):
        for patch in self.patches:
            patch.stop()
        assert kind or not any(self.left.values()), f"not drawn: {self.left}"


def main(folder):
    # Values between the integers, as after resizing.
    images = formula.images("strong", (COUNT, SIZE, SIZE, 3)) * np.float32(0.73) + np.float32(11.3)
    cases, ranges = [], []

    def record(config, value):
        cases.append({**config, **recorded(value, folder / f"strong-{len(cases)}.f32", SAMPLES)})

    for layers in [[index] for index in range(len(LAYERS))] + PAIRS:
        image = len(cases) % len(UNIFORM)
        layer = keras.layers.RandAugment(num_ops=len(layers), factor=MAGNITUDE)
        layer.build((1, SIZE, SIZE, 3))
        with Draws(uniform=UNIFORM[image], integers=[layers, BITS[image]]) as draws:
            result = layer(tf.constant(images[image : image + 1]), training=True)
        ranges = draws.bounds
        record({"kind": "rand_augment", "layers": layers, "image": image}, result)
    data = {"images": tf.constant(images), "labels": tf.constant(LABELS, tf.float32)}
    with Draws(beta=[WEIGHTS], order=[ORDER]):
        mixed = keras.layers.MixUp(0.2)(dict(data), training=True)
    record({"kind": "mixup", "labels": np.asarray(mixed["labels"]).tolist()}, mixed["images"])
    with Draws(uniform=[1.0, ACROSS, DOWN], beta=[WEIGHTS], order=[ORDER]):
        mixed = keras.layers.CutMix((1.0, 1.0))(dict(data), training=True)
    record({"kind": "cutmix", "labels": np.asarray(mixed["labels"]).tolist()}, mixed["images"])
    print(
        json.dumps(
            {
                "keras": keras.__version__,
                "shape": [COUNT, SIZE, SIZE, 3],
                "magnitude": MAGNITUDE,
                "layers": LAYERS,
                "uniform": UNIFORM,
                "bits": BITS,
                "ranges": ranges,
                "weights": WEIGHTS,
                "across": ACROSS,
                "down": DOWN,
                "order": ORDER,
                "labels": LABELS,
                "beta": [beta_quantiles(alpha) for alpha in BETA_ALPHAS],
                "cases": cases,
            }
        )
    )


def beta_quantiles(alpha):
    """Quantiles of Keras' own draws."""
    drawn = np.asarray(keras.random.beta((400_000,), alpha, alpha, seed=1))
    return {"alpha": alpha, "deciles": np.quantile(drawn, np.arange(1, 10) / 10).tolist()}


main(pathlib.Path(sys.argv[1]))
