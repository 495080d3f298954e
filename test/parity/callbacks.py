"""Writes callbacks.json: the behaviour of Keras' EarlyStopping, ReduceLROnPlateau and ModelCheckpoint on fixed curves, and learning
rates of CosineDecay and ExponentialDecay.

Run with keras 3.15 on tensorflow 2.21: python callbacks.py > callbacks.json
"""

import json
import os
import tempfile

import keras
import numpy as np

CURVES = {
    "improving": [0.9, 0.7, 0.6, 0.5, 0.45, 0.44, 0.43, 0.425],
    "ties": [0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4],
    "small steps": [0.5, 0.49995, 0.4999, 0.49985, 0.4998, 0.49975, 0.4997],
    "up and down": [0.5, 0.6, 0.4, 0.7, 0.45, 0.39, 0.5, 0.6, 0.7, 0.8],
    "nan inside": [0.5, float("nan"), 0.4, float("nan"), 0.45, 0.41, 0.42],
    "nan first": [float("nan"), 0.5, 0.4, 0.6, 0.7, 0.8],
    "float32 tie": [0.1, 0.1 + 1e-10, 0.1 - 1e-10, 0.1 - 1e-12, 0.1],
}


def model_for(metric):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss="mse", metrics=["accuracy"])
    model.fit(np.zeros((2, 1)), np.zeros((2, 1)), verbose=0)
    model.stop_training = False
    return model


def stopped_epoch(values, metric, patience, min_delta):
    callback = keras.callbacks.EarlyStopping(monitor=metric, patience=patience, min_delta=min_delta)
    model = model_for(metric)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {metric: value})
        if model.stop_training:
            return epoch + 1
    return None


def plateau_rates(values, factor, patience, min_lr):
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=factor, patience=patience, min_lr=min_lr)
    model = model_for("val_loss")
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_loss": value})
        rates.append(float(np.asarray(model.optimizer.learning_rate)))
    return rates


def saved_epochs(values, metric):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "best.weights.h5")
        callback = keras.callbacks.ModelCheckpoint(path, monitor=metric, save_best_only=True, save_weights_only=True)
        callback.set_model(model_for(metric))
        callback.on_train_begin()
        epochs = []
        for epoch, value in enumerate(values):
            if os.path.exists(path):
                os.remove(path)
            callback.on_epoch_end(epoch, {metric: value})
            if os.path.exists(path):
                epochs.append(epoch + 1)
        return epochs


stopping = []
plateaus = []
checkpoints = []
for name, values in CURVES.items():
    for metric, curve in (("val_loss", values), ("val_accuracy", [1 - v for v in values])):
        checkpoints.append({"curve": name, "metric": metric, "values": curve, "savedEpochs": saved_epochs(curve, metric)})
        for patience, min_delta in ((1, 0.0), (2, 0.0), (3, 0.01), (2, 1e-4), (0, 0.0)):
            epoch = stopped_epoch(curve, metric, patience, min_delta)
            stopping.append(
                {"curve": name, "metric": metric, "values": curve, "patience": patience, "minDelta": min_delta, "stoppedEpoch": epoch}
            )
    for factor, patience, min_lr in ((0.1, 1, 0.0), (0.5, 2, 0.0), (0.2, 1, 1e-4)):
        rates = plateau_rates(values, factor, patience, min_lr)
        plateaus.append(
            {"curve": name, "values": values, "factor": factor, "patience": patience, "minLearningRate": min_lr, "rates": rates}
        )

cosines = []
for initial, steps, alpha in ((1e-3, 10, 0.0), (0.1, 7, 0.2), (1e-5, 63, 0.05)):
    schedule = keras.optimizers.schedules.CosineDecay(initial, steps, alpha=alpha)
    rates = [float(np.asarray(schedule(step))) for step in range(steps + 3)]
    cosines.append({"learningRate": initial, "steps": steps, "alpha": alpha, "rates": rates})

# (rate after the warm-up, part of it that the warm-up starts with, steps of the warm-up, all steps, alpha)
warmups = []
for target, start, warmup_steps, steps, alpha in ((1e-3, 0.0, 3, 12, 0.0), (0.1, 0.2, 5, 40, 0.1), (1e-5, 0.01, 1, 9, 0.05)):
    schedule = keras.optimizers.schedules.CosineDecay(
        start * target, steps - warmup_steps, alpha=alpha, warmup_target=target, warmup_steps=warmup_steps
    )
    rates = [float(np.asarray(schedule(step))) for step in range(steps + 3)]
    warmups.append(
        {"learningRate": target, "start": start, "warmupSteps": warmup_steps, "steps": steps, "alpha": alpha, "rates": rates}
    )

# (initial rate, steps per epoch, epochs of a period, factor of a period, staircase)
exponentials = []
for initial, steps, period, factor, staircase in (
    (1e-3, 4, 3, 0.1, True), (0.1, 7, 1, 0.5, True), (1e-5, 63, 2, 0.3, True),
    (1e-3, 4, 1, 0.9, False), (0.1, 7, 2.5, 0.5, False), (1e-5, 63, 10, 0.01, False),
):
    schedule = keras.optimizers.schedules.ExponentialDecay(initial, period * steps, factor, staircase=staircase)
    rates = [float(np.asarray(schedule(step))) for step in range(int(3 * period * steps) + 2)]
    exponentials.append(
        {"learningRate": initial, "stepsPerEpoch": steps, "epochs": period, "factor": factor, "staircase": staircase, "rates": rates}
    )


def jsonable(value):
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    return [jsonable(item) for item in value] if isinstance(value, list) else value


result = {"keras": keras.__version__, "stopping": stopping, "plateaus": plateaus, "checkpoints": checkpoints, "cosines": cosines, "warmups": warmups, "exponentials": exponentials}
print(json.dumps(jsonable(result)))
