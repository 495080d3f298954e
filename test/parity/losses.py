"""Makes losses.json: values and gradients of Keras' losses at drawn logits, with label smoothing, class weights, gamma and alpha.

Run with keras 3.15 on tensorflow 2.21: python losses.py > losses.json
"""

import itertools
import json

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

from draws import Draws

IMAGES = 12
WEIGHTS = {2: {1: 3.5}, 3: {0: 0.25, 2: 4.0}, 40: {7: 10.0, 30: 0.0}}


def draw(class_count, scale, seed):
    draws = Draws(seed)
    columns = 1 if class_count == 2 else class_count
    labels = [int(draws.next() * class_count) for _ in range(IMAGES)]
    logits = [[(draws.next() - 0.5) * scale for _ in range(columns)] for _ in range(IMAGES)]
    return np.array(labels), np.array(logits, "float32")


def loss_of(case):
    smoothing = case["labelSmoothing"]
    if case["gamma"] is None:
        kind = keras.losses.BinaryCrossentropy if case["classCount"] == 2 else keras.losses.CategoricalCrossentropy
        return kind(label_smoothing=smoothing)
    alpha = {} if case["alpha"] is None else {"alpha": case["alpha"]}
    if case["classCount"] == 2:
        balancing = case["alpha"] is not None
        return keras.losses.BinaryFocalCrossentropy(
            apply_class_balancing=balancing, gamma=case["gamma"], label_smoothing=smoothing, **alpha
        )
    return keras.losses.CategoricalFocalCrossentropy(gamma=case["gamma"], label_smoothing=smoothing, **alpha)


def run(case, seed):
    labels, logits = draw(case["classCount"], case["scale"], seed)
    if case["classCount"] == 2:
        y, activation = labels.reshape(-1, 1).astype("float32"), keras.activations.sigmoid
    else:
        y, activation = np.eye(case["classCount"], dtype="float32")[labels], keras.activations.softmax
    weights = None
    if case["weighted"]:
        weights = class_weight_to_sample_weights(y, WEIGHTS[case["classCount"]])
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = loss_of(case)(y, activation(variable), sample_weight=weights)
    gradient = tape.gradient(value, variable).numpy()
    return {
        **case,
        "seed": seed,
        "loss": float(value),
        "gradient": [float(f"{g:.8g}") for g in gradient.flatten()],
    }


cases = []
for class_count in (2, 3, 40):
    grid = itertools.product((None, 0, 0.5, 2, 5), (None, 0.6), (0, 0.1), (False, True))
    for gamma, alpha, smoothing, weighted in grid:
        if gamma is None and alpha is not None:
            continue
        cases.append(
            {
                "classCount": class_count,
                "gamma": gamma,
                "alpha": alpha,
                "labelSmoothing": smoothing,
                "weighted": weighted,
                "scale": 10,
            }
        )
# Keras clips the probabilities of its categorical focal loss at 1e-7.
for class_count in (2, 3):
    cases.append(
        {"classCount": class_count, "gamma": 2, "alpha": 1, "labelSmoothing": 0, "weighted": False, "scale": 60}
    )
weights = {count: list(map(list, named.items())) for count, named in WEIGHTS.items()}
result = {"keras": keras.__version__, "images": IMAGES, "weights": weights}
result["cases"] = [run(case, 2000 + index) for index, case in enumerate(cases)]
print(json.dumps(result))
