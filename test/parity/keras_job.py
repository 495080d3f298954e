"""Builds the contents of a job file in Keras: images, base, head and their model."""

import json
import pathlib

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_models


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name.removeprefix("trained/")] = np.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + 4 * value.size]}
        offset += 4 * value.size
    text = json.dumps(header).encode()
    data = b"".join(value.astype("<f4").tobytes() for value in tensors.values())
    pathlib.Path(path).write_bytes(len(text).to_bytes(8, "little") + text + data)


def load_images(root, split, size):
    """Decodes and resizes like `keras.utils.image_dataset_from_directory`."""
    images = []
    for path in split["paths"]:
        contents = tf.io.read_file(f"{root}/{path}")
        image = tf.io.decode_image(contents, channels=3, expand_animations=False)
        images.append(tf.image.resize(image, (size, size)).numpy())
    return np.stack(images), np.array(split["labels"], "float32").reshape(-1, 1)


def build_base(job):
    """Builds the base with the job's weights and without its dropout, which Keras applies even if the base is called with training=False."""
    base = keras_models.build(job["backbone"], job["size"])
    weights = read_safetensors(job["weights"])
    for layer in base.layers:
        for variable in layer.weights:
            variable.assign(weights[f"{layer.name}/{variable.name}"])
        if isinstance(layer, layers.Normalization):
            # The layer computes with copies of its weights.
            layer.finalize_state()
        if isinstance(layer, layers.Dropout):
            layer.rate = 0.0
    return base


def build_head(config, dropout, shape, path):
    poolings = {"flatten": layers.Flatten, "avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    hidden = []
    for _ in range(config["layers"]):
        hidden += [layers.Dense(config["units"], activation=config["activation"]), layers.Dropout(dropout)]
    head = keras.Sequential([keras.Input(shape), poolings[config["pooling"]](), *hidden, layers.Dense(1, activation="sigmoid")])
    weights = read_safetensors(path)
    dense = [layer for layer in head.layers if isinstance(layer, layers.Dense)]
    for number, layer in enumerate(dense, 1):
        name = "head/output" if layer is dense[-1] else f"head/dense_{number}"
        layer.set_weights([weights[f"{name}/kernel"], weights[f"{name}/bias"]])
    return head


def set_trainable(base, unfreeze_from):
    """Unfreezes nothing, or a layer and all layers above it, except BatchNormalization."""
    base.trainable = unfreeze_from is not None
    if unfreeze_from is None:
        return
    first = [layer.name for layer in base.layers].index(unfreeze_from)
    for index, layer in enumerate(base.layers):
        layer.trainable = index >= first and not isinstance(layer, layers.BatchNormalization)


def build_model(job, base, head, augmentation):
    inputs = keras.Input((job["size"], job["size"], 3))
    x = inputs
    if augmentation is not None:
        x = layers.RandomFlip("horizontal")(x)
        x = layers.RandomRotation(augmentation["rotation"])(x)
        x = layers.RandomZoom(augmentation["zoom"])(x)
    x = base(keras_models.preprocess(job["backbone"], x), training=False)
    return keras.Model(inputs, x if head is None else head(x))
