"""Outputs and gradients of the backbones in Keras, with weights and images of a closed formula.

    python backbones.py FOLDER > backbones.json

writes each tensor in full to FOLDER (raw float32) and prints its shape, its root mean square and some of its values.
Keras has no EfficientNet-Lite, so that one is built here from Keras layers.
"""

import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import formula

SIZES = [75, 96]
BATCH = 2
SAMPLES = 120


def lite0(size):
    def norm_relu(x, prefix):
        x = layers.BatchNormalization(epsilon=1e-3, name=f"{prefix}_bn")(x)
        return layers.ReLU(6.0, name=f"{prefix}_activation")(x)

    image = keras.Input((size, size, 3))
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(image)
    x = norm_relu(x, "stem")
    stages = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
    for stage, (repeats, kernel, stride, expansion, filters) in enumerate(stages, 1):
        for repeat in range(repeats):
            name = f"block{stage}{chr(97 + repeat)}"
            inputs = x
            if expansion != 1:
                x = layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
                x = norm_relu(x, f"{name}_expand")
            step = stride if repeat == 0 else 1
            x = layers.DepthwiseConv2D(kernel, strides=step, padding="same", use_bias=False, name=f"{name}_dwconv")(x)
            x = norm_relu(x, name)
            x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
            x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_project_bn")(x)
            if step == 1 and inputs.shape[-1] == filters:
                x = layers.Add(name=f"{name}_add")([x, inputs])
    x = layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x)
    return keras.Model(image, norm_relu(x, "top"))


applications = keras.applications
CASES = {
    "vgg16": {
        "build": lambda size: applications.VGG16(include_top=False, weights=None, input_shape=(size, size, 3)),
        "preprocess": applications.vgg16.preprocess_input,
        "layers": ["block1_conv1", "block3_conv3", "block4_pool", "block5_pool"],
        "top": "block5_conv1",
    },
    "mobilenet_v2": {
        "build": lambda size: applications.MobileNetV2(include_top=False, weights=None, input_shape=(size, size, 3)),
        "preprocess": applications.mobilenet_v2.preprocess_input,
        "layers": ["Conv1", "block_1_pad", "block_3_depthwise", "block_6_project_BN", "block_12_add", "out_relu"],
        "top": "block_15_project",
    },
    "efficientnet_lite0": {
        "build": lite0,
        "preprocess": lambda x: (x - 127.0) / 128.0,
        "layers": ["stem_activation", "block2b_add", "block5a_project_bn", "block6d_add", "top_activation"],
        "top": "block6d_dwconv",
    },
}


def fill(model):
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(formula.weight(f"{layer.name}/{variable.name}", tuple(variable.shape)))


def trained(model, first):
    names = [layer.name for layer in model.layers]
    chosen = model.layers[names.index(first) :]
    kinds = (layers.Conv2D, layers.DepthwiseConv2D)
    return [(f"{layer.name}/{w.name}", w) for layer in chosen if isinstance(layer, kinds) for w in layer.weights]


def main(folder):
    result = {"keras": keras.__version__, "tensorflow": tf.__version__, "cases": []}

    def record(tensors, name, value):
        value = np.asarray(value, np.float32)
        flat = value.reshape(-1)
        file = f"{len(list(folder.iterdir()))}.f32"
        flat.tofile(folder / file)
        step = max(1, flat.size // SAMPLES)
        samples = [float(f"{v:.9g}") for v in flat[::step][:SAMPLES]]
        rms = float(np.sqrt(np.mean(np.square(flat, dtype=np.float64))))
        tensors.append({"name": name, "shape": list(value.shape), "rms": rms, "step": step, "samples": samples, "file": file})

    for backbone, case in CASES.items():
        for size in SIZES:
            model = case["build"](size)
            fill(model)
            images = case["preprocess"](formula.images("images", (BATCH, size, size, 3)).copy())
            outputs = [model.get_layer(name).output for name in case["layers"]]
            probe = keras.Model(model.input, outputs)
            parameters = trained(model, case["top"])
            with tf.GradientTape() as tape:
                values = probe(images, training=False)
                factor = formula.uniform("factor", tuple(values[-1].shape)).astype(np.float32)
                loss = tf.reduce_sum(values[-1] * factor)
            gradients = tape.gradient(loss, [w.value for _, w in parameters])
            forward, backward = [], []
            for name, value in zip(case["layers"], values):
                record(forward, name, value)
            for (name, _), value in zip(parameters, gradients):
                record(backward, name, value)
            layer_names = [layer.name for layer in model.layers[1:]]
            result["cases"].append(
                {"backbone": backbone, "size": size, "layers": layer_names, "top": case["top"], "outputs": forward, "gradients": backward}
            )
    print(json.dumps(result))


main(pathlib.Path(sys.argv[1]))
