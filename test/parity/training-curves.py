"""Trains as a job file says, with Keras, on the images, weights and batches of the other side.

    python training-curves.py JOB.json

prints the loss and accuracy of every step and epoch, and the test set's. training-curves-keras.ts describes the job.
"""

import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_models

OPTIMIZERS = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
EVALUATION_BATCH = 32


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


def load_images(root, split, size):
    """As `keras.utils.image_dataset_from_directory` decodes and resizes."""
    images = []
    for path in split["paths"]:
        contents = tf.io.read_file(f"{root}/{path}")
        image = tf.io.decode_image(contents, channels=3, expand_animations=False)
        images.append(tf.image.resize(image, (size, size)).numpy())
    return np.stack(images), np.array(split["labels"], "float32").reshape(-1, 1)


def build_base(job):
    base = keras_models.build(job["backbone"], job["size"])
    weights = read_safetensors(job["weights"])
    for layer in base.layers:
        for variable in layer.weights:
            variable.assign(weights[f"{layer.name}/{variable.name}"])
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
    """Nothing, or one layer and all above it, BatchNormalization excepted."""
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


def train(model, phase, data):
    optimizer = OPTIMIZERS[phase["optimizer"]["name"]](phase["optimizer"]["learningRate"])
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    images, labels = data["train"]
    steps, epochs, best = [], [], None
    for batches in phase["batches"]:
        done = []
        for batch in batches:
            model.reset_metrics()
            logs = model.train_on_batch(images[batch], labels[batch], return_dict=True)
            done.append({"loss": float(logs["loss"]), "accuracy": float(logs["accuracy"])})
        sizes = [len(batch) for batch in batches]
        epoch = {name: float(np.average([step[name] for step in done], weights=sizes)) for name in ("loss", "accuracy")}
        logs = model.evaluate(*data["validation"], batch_size=EVALUATION_BATCH, verbose=0, return_dict=True)
        epochs.append({**epoch, "val_loss": float(logs["loss"]), "val_accuracy": float(logs["accuracy"])})
        steps += done
        # ModelCheckpoint(save_best_only=True, monitor="val_loss")
        if best is None or epochs[-1]["val_loss"] < best[0]:
            best = (epochs[-1]["val_loss"], model.get_weights())
    model.set_weights(best[1])
    return {"steps": steps, "epochs": epochs}


def test(model, images, labels):
    probabilities = model.predict(images, batch_size=EVALUATION_BATCH, verbose=0)
    return {"correct": int(np.sum((probabilities > 0.5) == (labels > 0.5))), "count": len(labels)}


def main(path):
    job = json.loads(pathlib.Path(path).read_text())
    keras.utils.set_random_seed(job["seed"])
    data = {name: load_images(job["root"], split, job["size"]) for name, split in job["splits"].items()}
    base = build_base(job)
    extractor = build_model(job, base, None, None)
    features = {}
    head, results = None, []
    for phase in job["phases"]:
        if phase["headWeights"] is not None:
            head = build_head(job["head"], phase["dropout"], base.output_shape[1:], phase["headWeights"])
        set_trainable(base, phase["unfreezeFrom"])
        model = build_model(job, base, head, phase["augmentation"])
        if phase["method"] == "cached":
            for name in ("train", "validation"):
                if name not in features:
                    images, labels = data[name]
                    features[name] = (extractor.predict(images, batch_size=EVALUATION_BATCH, verbose=0), labels)
            curve = train(head, phase, features)
        else:
            curve = train(model, phase, data)
        results.append({**curve, "test": test(model, *data["test"])})
    print(json.dumps({"keras": keras.__version__, "phases": results}))


main(sys.argv[1])
