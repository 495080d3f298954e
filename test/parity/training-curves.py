"""Trains the job of a job file with Keras, on the images, weights and batches of the other side.

    python training-curves.py JOB.json

prints the loss and accuracy of every step and epoch, and the test set's. training-curves-keras.ts describes the job.
"""

import json
import pathlib
import sys

import keras
import numpy as np

from keras_job import build_base, build_head, build_model, load_images, set_trainable, write_safetensors

OPTIMIZERS = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
EVALUATION_BATCH = 32


def build_optimizer(config):
    rate = config["learningRate"]
    cosine = config.get("cosine")
    if cosine is not None:
        rate = keras.optimizers.schedules.CosineDecay(
            cosine["start"] * rate, cosine["decaySteps"], cosine["alpha"], warmup_target=rate, warmup_steps=cosine["warmupSteps"]
        )
    options = {}
    if "gradientAccumulationSteps" in config:
        options["gradient_accumulation_steps"] = config["gradientAccumulationSteps"]
    if "emaMomentum" in config:
        options |= {"use_ema": True, "ema_momentum": config["emaMomentum"]}
    return OPTIMIZERS[config["name"]](rate, **options)


def train(model, phase, data, jit):
    optimizer = build_optimizer(phase["optimizer"])
    swap = keras.callbacks.SwapEMAWeights() if optimizer.use_ema else None
    callbacks = [] if swap is None else [swap]
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"], jit_compile=jit)
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
        logs = model.evaluate(
            *data["validation"], batch_size=EVALUATION_BATCH, verbose=0, return_dict=True, callbacks=callbacks
        )
        epochs.append({**epoch, "val_loss": float(logs["loss"]), "val_accuracy": float(logs["accuracy"])})
        steps += done
        # ModelCheckpoint(save_best_only=True, monitor="val_loss")
        if best is None or epochs[-1]["val_loss"] < best[0]:
            if swap is not None:
                swap.on_test_begin()
            best = (epochs[-1]["val_loss"], model.get_weights())
            if swap is not None:
                swap.on_test_end()
    model.set_weights(best[1])
    return {"steps": steps, "epochs": epochs}


def test(model, images, labels):
    probabilities = model.predict(images, batch_size=EVALUATION_BATCH, verbose=0)
    return {"correct": int(np.sum((probabilities > 0.5) == (labels > 0.5))), "count": len(labels)}


def base_weights(base):
    return {f"{layer.name}/{variable.name}": np.asarray(variable) for layer in base.layers for variable in layer.weights}


def trained_names(base):
    trained = {variable.path for variable in base.trainable_variables}
    return [
        f"{layer.name}/{variable.name}" for layer in base.layers for variable in layer.weights if variable.path in trained
    ]


def main(path):
    job = json.loads(pathlib.Path(path).read_text())
    keras.utils.set_random_seed(job["seed"])
    data = {name: load_images(job["root"], split, job["size"]) for name, split in job["splits"].items()}
    base = build_base(job)
    extractor = build_model(job, base, None, None)
    features = {}
    jit = False if job["isQuick"] else "auto"
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
            curve = train(head, phase, features, jit)
        else:
            curve = train(model, phase, data, jit)
        if phase["weightsFile"] is not None:
            write_safetensors(phase["weightsFile"], base_weights(base))
        tested = None if job["isQuick"] else test(model, *data["test"])
        results.append({**curve, "trained": trained_names(base), "test": tested})
    print(json.dumps({"keras": keras.__version__, "phases": results}))


main(sys.argv[1])
