"""What Keras' augmentation layers make of formula images when the drawn numbers are given.

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
from recording import recorded

COUNT, HEIGHT, WIDTH = 6, 180, 180
FLIPS = [0.1, 0.9, 0.5, 0.500001, 0.0, 0.7]
ANGLES = [0.0, 36.0, -36.0, 17.3, -4.25, 90.0]
ZOOMS = [1.0, 0.8, 1.2, 0.93, 1.11, 1.9]
WIDTH_ZOOMS = [1.3, 1.0, 0.75, 1.05, 0.6, 0.99]
DOWNWARD = [0.0, 0.25, -0.3, 0.011, -0.5, 0.9]
RIGHTWARD = [0.1, 0.0, -0.2, 0.3333, 0.5, -0.7]
CONTRASTS = [1.0, 1.4, 1.05, 2.0, 1.73, 1.2]
BRIGHTNESS = [0.0, 0.25, -0.3, 1.0, -1.0, 0.013]
SATURATIONS = [0.5, 0.4, 0.6, 0.0, 0.75, 0.55]
HUE_SIGNS = [0.1, 0.9, 0.5, 0.500001, 0.3, 0.7]
HUES = [0.0, 0.25, 1.0, 0.1, 0.6, 0.033]
FILL_MODES = ["reflect", "wrap", "constant", "nearest"]
SAMPLES = 40


def run(layer, draws, images):
    """The layer with given draws (a list for each call of its random function) instead of its own."""
    left = list(draws)

    def drawn(shape, **_):
        return tf.reshape(tf.constant(left.pop(0), tf.float32), shape)

    with mock.patch("keras.src.random.uniform", drawn), mock.patch(
        "keras.src.backend.tensorflow.random.uniform", drawn
    ):
        result = layer(images, training=True)
    assert not left, f"{layer.name} did not draw {len(left)} of the lists"
    return result


def main(folder):
    images = tf.constant(formula.images("augment", (COUNT, HEIGHT, WIDTH, 3)))
    layers = keras.layers
    cases = []

    def record(config, value):
        cases.append({**config, **recorded(value, folder / f"augment-{len(cases)}.f32", SAMPLES)})

    base = {
        "flip": "none", "rotation": 0, "zoom": 0, "zoomWidth": None, "translationHeight": 0, "translationWidth": 0,
        "contrast": 0, "brightness": 0, "saturation": 0, "hue": 0, "fillMode": "reflect", "fillValue": 0, "interpolation": "bilinear",
    }
    for mode in ["horizontal", "vertical", "horizontal_and_vertical"]:
        record({**base, "flip": mode}, run(layers.RandomFlip(mode), [FLIPS], images))
    for fill in FILL_MODES:
        for interpolation in ["bilinear", "nearest"]:
            for value in [0, 127.5] if fill == "constant" else [0]:
                how = {"fill_mode": fill, "fill_value": value, "interpolation": interpolation}
                config = {**base, "fillMode": fill, "fillValue": value, "interpolation": interpolation}
                record({**config, "rotation": 0.1}, run(layers.RandomRotation(0.1, **how), [ANGLES], images))
                record({**config, "zoom": 0.2}, run(layers.RandomZoom(0.2, **how), [ZOOMS], images))
                record(
                    {**config, "zoom": 0.2, "zoomWidth": 0.3},
                    run(layers.RandomZoom(0.2, 0.3, **how), [ZOOMS, WIDTH_ZOOMS], images),
                )
                record(
                    {**config, "translationHeight": 0.3, "translationWidth": 0.2},
                    run(layers.RandomTranslation(0.3, 0.2, **how), [DOWNWARD, RIGHTWARD], images),
                )
        how = {"fill_mode": fill}
        config = {**base, "fillMode": fill, "flip": "horizontal", "rotation": 0.1, "zoom": 0.2}
        x = run(layers.RandomFlip("horizontal"), [FLIPS], images)
        x = run(layers.RandomRotation(0.1, **how), [ANGLES], x)
        x = run(layers.RandomZoom(0.2, **how), [ZOOMS], x)
        record(config, x)
        x = run(layers.RandomTranslation(0.3, 0.2, **how), [DOWNWARD, RIGHTWARD], x)
        x = run(layers.RandomContrast(0.4), [CONTRASTS], x)
        x = run(layers.RandomBrightness(0.25), [BRIGHTNESS], x)
        config = {**config, "translationHeight": 0.3, "translationWidth": 0.2, "contrast": 0.4, "brightness": 0.25}
        record(config, x)
    record({**base, "contrast": 0.4}, run(layers.RandomContrast(0.4), [CONTRASTS], images))
    record({**base, "brightness": 0.25}, run(layers.RandomBrightness(0.25), [BRIGHTNESS], images))
    # Keras leaves 0..255 after RandomSaturation, and clips after RandomHue.
    saturated = run(layers.RandomSaturation((0.0, 1.0)), [SATURATIONS], images)
    record({**base, "saturation": 0.5}, np.clip(saturated, 0, 255))
    record({**base, "hue": 1}, run(layers.RandomHue(1.0), [HUE_SIGNS, HUES], images))
    record({**base, "saturation": 0.5, "hue": 1}, run(layers.RandomHue(1.0), [HUE_SIGNS, HUES], saturated))
    print(
        json.dumps(
            {
                "keras": keras.__version__,
                "shape": [COUNT, HEIGHT, WIDTH, 3],
                "flips": FLIPS,
                "draws": {
                    "angle": ANGLES,
                    "zoom": ZOOMS,
                    "widthZoom": WIDTH_ZOOMS,
                    "downward": DOWNWARD,
                    "rightward": RIGHTWARD,
                    "contrast": CONTRASTS,
                    "brightness": BRIGHTNESS,
                    "saturation": SATURATIONS,
                    "hue": [(-0.5 if sign > 0.5 else 0.5) * hue for sign, hue in zip(HUE_SIGNS, HUES)],
                },
                "ranges": ranges(layers),
                "cases": cases,
            }
        )
    )


def ranges(layers):
    """What the layers draw from for a single factor."""
    zoom, translation = layers.RandomZoom(0.2, 0.3), layers.RandomTranslation(0.3, 0.2)
    return {
        "rotation": layers.RandomRotation(0.1).factor,
        "zoom": [zoom.height_lower, zoom.height_upper],
        "zoomWidth": [zoom.width_lower, zoom.width_upper],
        "translationHeight": [translation.height_lower, translation.height_upper],
        "translationWidth": [translation.width_lower, translation.width_upper],
        "contrast": [-layers.RandomContrast(0.4).factor[0], layers.RandomContrast(0.4).factor[1]],
        "brightness": layers.RandomBrightness(0.25).factor,
        "saturation": [factor - 0.5 for factor in layers.RandomSaturation((0.3, 0.7)).factor],
        "hue": [-layers.RandomHue(0.3).factor[1] / 2, layers.RandomHue(0.3).factor[1] / 2],
    }


main(pathlib.Path(sys.argv[1]))
