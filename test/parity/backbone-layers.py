"""Layers of every backbone in Keras: how many layers and parameters, and a digest of names, output shapes and weights.

    python backbone-layers.py > backbone-layers.json
    python backbone-layers.py NAME SIZE        # the lines that the digest is of, to find a difference

`published` adds the layer that Keras adds for published weights of the first EfficientNets.
"""

import hashlib
import json
import sys

import keras
import numpy as np

import keras_models

# One even and one odd size: explicit padding differs.
SIZES = [96, 107]
MINIMUM_SIZES = [31, 32, 70, 71]


def lines(name, size):
    model = keras_models.build(name, size)
    result = []
    for layer in model.layers[1:]:
        shape = list(layer.output.shape[1:])
        # A global average, before it is reshaped: one pixel.
        shape = [1, 1] + shape if len(shape) == 1 else shape
        weights = ";".join(f"{w.name}:{list(w.shape)}" for w in layer.weights)
        result.append(f"{layer.name} {shape} {weights}".replace(", ", ","))
    return result, sum(int(np.prod(w.shape)) for w in model.weights)


def minimum_size(name):
    """Smallest of the sizes just below and at those that `keras.applications` asks for."""
    for size in MINIMUM_SIZES:
        try:
            keras_models.build(name, size)
        except ValueError:
            continue
        return size
    return None


def main(arguments):
    if arguments:
        print("\n".join(lines(arguments[0], int(arguments[1]))[0]))
        return
    backbones = []
    for name in keras_models.NAMES:
        # The biggest at one size only, because building them takes long.
        for size in SIZES[:1] if name in keras_models.BIG else SIZES:
            described, parameters = lines(name, size)
            digest = hashlib.sha256("\n".join(described).encode()).hexdigest()
            backbones.append(
                {"backbone": name, "size": size, "layers": len(described), "parameters": parameters, "digest": digest}
            )
    minimum_sizes = {name: minimum_size(name) for name in keras_models.NAMES}
    print(json.dumps({"keras": keras.__version__, "minimumSizes": minimum_sizes, "backbones": backbones}))


main(sys.argv[1:])
