"""Makes head.json: 20 training steps of heads in Keras on fixed features, weights of a closed formula, no dropout.

Run with keras 3.15 on tensorflow 2.21: python head.py > head.json
"""

import json
import math

import keras
import numpy as np

BATCH = 6
FEATURES = 10
STEPS = 20

CASES = [
    {"classCount": 2, "units": 8, "layers": 1, "activation": "linear", "l2": 0.0, "labelSmoothing": 0.0, "classWeights": None},
    {"classCount": 2, "units": 8, "layers": 2, "activation": "relu", "l2": 0.01, "labelSmoothing": 0.1, "classWeights": None},
    {"classCount": 2, "units": 5, "layers": 1, "activation": "gelu", "l2": 0.0, "labelSmoothing": 0.0, "classWeights": [0.7, 1.9]},
    {"classCount": 2, "units": 0, "layers": 0, "activation": "linear", "l2": 0.02, "labelSmoothing": 0.0, "classWeights": None},
    {"classCount": 3, "units": 7, "layers": 1, "activation": "swish", "l2": 0.0, "labelSmoothing": 0.2, "classWeights": [0.5, 1.0, 2.0]},
    {"classCount": 4, "units": 6, "layers": 2, "activation": "tanh", "l2": 0.001, "labelSmoothing": 0.0, "classWeights": None},
    {"classCount": 2, "units": 8, "layers": 1, "activation": "relu", "l2": 0.01, "labelSmoothing": 0.0, "classWeights": None,
     "gradientAccumulationSteps": 3},
    {"classCount": 3, "units": 7, "layers": 1, "activation": "swish", "l2": 0.01, "labelSmoothing": 0.0, "classWeights": None,
     "emaMomentum": 0.9},
    {"classCount": 3, "units": 5, "layers": 2, "activation": "relu", "l2": 0.0, "labelSmoothing": 0.1, "classWeights": [0.5, 1.0, 2.0],
     "gradientAccumulationSteps": 2, "emaMomentum": 0.8},
]


def weight(tensor, index, scale):
    return scale * math.sin(0.37 * index + 1.1 * tensor + 0.2)


def feature(row, column):
    return 1.5 * math.cos(0.71 * row + 1.93 * column) + (3.0 if (row + column) % 11 == 0 else 0.0)


def build(case):
    regularizer = keras.regularizers.L2(case["l2"]) if case["l2"] else None
    layers = [keras.Input((FEATURES,))]
    for _ in range(case["layers"]):
        layers.append(keras.layers.Dense(case["units"], activation=case["activation"], kernel_regularizer=regularizer))
    outputs, last = (1, "sigmoid") if case["classCount"] == 2 else (case["classCount"], "softmax")
    layers.append(keras.layers.Dense(outputs, activation=last, kernel_regularizer=regularizer))
    model = keras.Sequential(layers)
    values = []
    for tensor, variable in enumerate(model.trainable_variables):
        scale = 0.5 if len(variable.shape) == 2 else 0.1
        count = int(np.prod(variable.shape))
        values.append(np.array([weight(tensor, i, scale) for i in range(count)], "float32").reshape(variable.shape))
    model.set_weights(values)
    return model


def run(case):
    model = build(case)
    if case["classCount"] == 2:
        loss = keras.losses.BinaryCrossentropy(label_smoothing=case["labelSmoothing"])
    else:
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=case["labelSmoothing"])
    # The first step's learning rate is large, so that logits are large too and clipping would show.
    averaged = "emaMomentum" in case
    optimizer = keras.optimizers.SGD(
        0.5,
        momentum=0.5,
        gradient_accumulation_steps=case.get("gradientAccumulationSteps"),
        use_ema=averaged,
        ema_momentum=case.get("emaMomentum", 0.99),
    )
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    class_weight = None if case["classWeights"] is None else dict(enumerate(case["classWeights"]))
    losses, accuracies = [], []
    for step in range(STEPS):
        rows = [step * BATCH + i for i in range(BATCH)]
        x = np.array([[feature(r, c) for c in range(FEATURES)] for r in rows], "float32")
        labels = np.array([r % case["classCount"] for r in rows])
        y = labels.reshape(-1, 1).astype("float32") if case["classCount"] == 2 else np.eye(case["classCount"], dtype="float32")[labels]
        if averaged:
            # The end of every `fit` would replace the weights by their averages.
            model.reset_metrics()
            logs = model.train_on_batch(x, y, class_weight=class_weight, return_dict=True)
            losses.append(float(logs["loss"]))
            accuracies.append(float(logs["accuracy"]))
            continue
        history = model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0, class_weight=class_weight)
        losses.append(history.history["loss"][0])
        accuracies.append(history.history["accuracy"][0])
    rows = list(range(200, 230))
    x = np.array([[feature(r, c) for c in range(FEATURES)] for r in rows], "float32")
    labels = np.array([r % case["classCount"] for r in rows])
    y = labels.reshape(-1, 1).astype("float32") if case["classCount"] == 2 else np.eye(case["classCount"], dtype="float32")[labels]
    callbacks = [keras.callbacks.SwapEMAWeights()] if averaged else []
    value = model.evaluate(x, y, batch_size=8, verbose=0, callbacks=callbacks)
    return {"losses": losses, "accuracies": accuracies, "valLoss": value[0], "valAccuracy": value[1]}


def clipping():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    model.set_weights([np.array([[1.0]], "float32"), np.array([0.0], "float32")])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="binary_crossentropy")
    x = np.array([[-60.0]], "float32")
    y = np.array([[1.0]], "float32")
    return {"fit": model.fit(x, y, verbose=0).history["loss"][0], "evaluate": model.evaluate(x, y, verbose=0)}


result = {"keras": keras.__version__, "batch": BATCH, "features": FEATURES, "clipping": clipping()}
result["cases"] = [{**case, **run(case)} for case in CASES]
print(json.dumps(result, indent=1))
