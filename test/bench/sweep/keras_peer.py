"""One piece of work as a Keras user would do it, timed.

    python keras_peer.py JOB.json

keras-peer.ts describes the job and the answer. The settings are Keras' best stock ones: images are decoded once and kept
(`cache`), the next batch is made while one is computed (`prefetch`), and `jit_compile` is whichever of its two values takes
less time for two steps.
"""

import json
import pathlib
import resource
import sys
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "parity"))
import keras_models
from keras_job import build_base, set_trainable


class EpochTimes(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)

    def __init__(self):
        super().__init__()
        self.seconds = []


def open_split(job, split):
    images = keras.utils.image_dataset_from_directory(
        f"{job['root']}/{split}",
        label_mode="binary",
        image_size=(job["size"], job["size"]),
        batch_size=None,
        shuffle=False,
        verbose=False,
    ).cache()
    # A pass that decodes, so that none of the timed ones does.
    count = sum(1 for _ in images)
    if split == "train":
        images = images.shuffle(count, seed=job["seed"])
    return images.batch(job["batchSize"]).prefetch(tf.data.AUTOTUNE)


def open_base(job):
    if job["weights"] is None:
        base = keras_models.build(job["backbone"], job["size"])
    else:
        base = build_base(job)
    base.trainable = False
    return base


def build_model(job, base):
    inputs = keras.Input((job["size"], job["size"], 3))
    x = inputs
    if job["augmentation"] is not None:
        x = layers.RandomFlip("horizontal")(x)
        x = layers.RandomRotation(job["augmentation"]["rotation"])(x)
        x = layers.RandomZoom(job["augmentation"]["zoom"])(x)
    x = base(keras_models.preprocess(job["backbone"], x), training=False)
    head = job["head"]
    x = layers.Flatten()(x) if head["pooling"] == "flatten" else layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(head["units"], activation=head["activation"])(x)
    x = layers.Dropout(head["dropout"])(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def compile_model(model, learning_rate, jit):
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit,
    )


def quicker_jit(model, learning_rate, train):
    """Two steps each after one that compiles; the weights are put back."""
    weights = model.get_weights()
    seconds = {}
    for jit in (False, True):
        compile_model(model, learning_rate, jit)
        batches = list(train.take(3))
        model.train_on_batch(*batches[0])
        start = time.perf_counter()
        for batch in batches[1:]:
            model.train_on_batch(*batch)
        seconds[jit] = time.perf_counter() - start
    model.set_weights(weights)
    return min(seconds, key=seconds.get)


def fit(job):
    base = open_base(job)
    if job["saveWeights"] is not None:
        base.save_weights(job["saveWeights"])
    train, validation = open_split(job, "train"), open_split(job, "validation")
    model = build_model(job, base)
    if job["unfreezeFrom"] is not None:
        set_trainable(base, job["unfreezeFrom"])
    jit = quicker_jit(model, job["learningRate"], train) if job["tuneJit"] else False
    compile_model(model, job["learningRate"], jit)
    times = EpochTimes()
    start = time.perf_counter()
    history = model.fit(train, validation_data=validation, epochs=job["epochs"], callbacks=[times], verbose=0).history
    seconds = time.perf_counter() - start
    test = model.evaluate(open_split(job, "test"), verbose=0, return_dict=True)
    return {
        "seconds": seconds,
        "epochSeconds": times.seconds,
        "jit": jit,
        "valAccuracies": history["val_accuracy"],
        "testAccuracy": test["accuracy"],
    }


def predict(job):
    """Images per second of `predict` over images in memory, the best of the rounds."""
    base = open_base(job)
    inputs = keras.Input((job["size"], job["size"], 3))
    model = keras.Model(inputs, base(keras_models.preprocess(job["backbone"], inputs), training=False))
    images = np.concatenate([batch for batch, _ in open_split(job, "train")])[: job["imageCount"]]
    rates = {}
    for jit in (False, True) if job["jit"] is None else (job["jit"],):
        model.compile(jit_compile=jit)
        model.predict(images[: job["batchSize"]], batch_size=job["batchSize"], verbose=0)
        for _ in range(job["rounds"]):
            start = time.perf_counter()
            model.predict(images, batch_size=job["batchSize"], verbose=0)
            rates[jit] = max(rates.get(jit, 0), len(images) / (time.perf_counter() - start))
    jit = max(rates, key=rates.get)
    return {"imagesPerSecond": rates[jit], "jit": jit}


def main(path):
    job = json.loads(pathlib.Path(path).read_text())
    keras.utils.set_random_seed(job["seed"])
    answer = {"fit": fit, "predict": predict}[job["kind"]](job)
    # Linux reports kilobytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**answer, "keras": keras.__version__, "peakMemoryBytes": peak}))


main(sys.argv[1])
