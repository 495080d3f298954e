"""Trains heads in Keras for measure.ts: one JSON job per line of standard input, its milliseconds per step back."""

import json
import os
import sys
import time

threads = int(os.environ["GRAFT_BENCH_THREADS"])
os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)

import keras
import numpy
import tensorflow

tensorflow.config.threading.set_intra_op_parallelism_threads(threads)


def head(inputs, units, steps_per_execution):
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return model


class Fit:
    """
    Epochs of one model.fit on features in memory, as a tf.data set: NumPy arrays take 1.05 to 1.6 times as long, and a fit for
    each epoch up to twice.
    """

    def __init__(self, job):
        self.model = head(job["inputs"], job["units"], job["stepsPerExecution"])
        self.epochs = job["epochs"]
        self.steps = job["images"] // job["batch"]
        self.images = (
            tensorflow.data.Dataset.from_tensor_slices(data(job))
            .shuffle(job["images"])
            .batch(job["batch"])
            .prefetch(tensorflow.data.AUTOTUNE)
        )
        self.model.fit(self.images, epochs=1, verbose=0)

    def run(self):
        start = time.perf_counter()
        self.model.fit(self.images, epochs=self.epochs, verbose=0)
        return (time.perf_counter() - start) * 1000 / (self.epochs * self.steps)


class TrainStep:
    """The compiled train step alone, on one batch that is there: no callbacks, no shuffling."""

    def __init__(self, job):
        self.model = head(job["inputs"], job["units"], 1)
        self.steps = job["epochs"] * job["images"] // job["batch"]
        x, y = data({**job, "images": job["batch"]})
        self.batch = (tensorflow.constant(x), tensorflow.constant(y.reshape(-1, 1)))
        self.step = tensorflow.function(self.model.train_step)
        self.run()

    def run(self):
        start = time.perf_counter()
        for _ in range(self.steps):
            result = self.step(self.batch)
        result["loss"].numpy()
        return (time.perf_counter() - start) * 1000 / self.steps


def data(job):
    generator = numpy.random.default_rng(1)
    x = generator.random((job["images"], job["inputs"]), dtype=numpy.float32)
    y = (numpy.arange(job["images"]) % 2).astype(numpy.float32)
    return x, y


KINDS = {"fit": Fit, "step": TrainStep}
current = None
print(json.dumps({"ready": keras.__version__}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if current is None or current[0] != line:
        # One model at a time, as in sequential training.
        keras.backend.clear_session()
        current = (line, KINDS[job["kind"]](job))
    print(json.dumps({"milliseconds": current[1].run()}), flush=True)
