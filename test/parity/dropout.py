"""Makes dropout.json: the loss of heads with dropout in Keras, epoch by epoch, over many trainings from the same weights.

Run with keras 3.15 on tensorflow 2.21: python dropout.py > dropout.json
"""

import json

import keras
import numpy as np

import formula

IMAGES = 96
FEATURES = 16
BATCH = 12
EPOCHS = 5
TRAININGS = 400
CASES = [
    {"units": 32, "layers": 1, "activation": "linear", "dropout": 0.5},
    {"units": 16, "layers": 2, "activation": "relu", "dropout": 0.3},
]


def build(case):
    layers = [keras.Input((FEATURES,))]
    for _ in range(case["layers"]):
        layers += [keras.layers.Dense(case["units"], activation=case["activation"]), keras.layers.Dropout(case["dropout"])]
    model = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.RMSprop(1e-2), loss="binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


def start(model):
    for index, variable in enumerate(model.trainable_variables):
        variable.assign((0.4 * formula.uniform(f"dropout {index}", tuple(variable.shape))).astype("float32"))
    for variable in model.optimizer.variables:
        # All but the learning rate start at zero.
        if variable is not model.optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def train(model, features, labels):
    losses = []
    for _ in range(EPOCHS):
        done = []
        for first in range(0, IMAGES, BATCH):
            model.reset_metrics()
            rows = slice(first, first + BATCH)
            done.append(float(model.train_on_batch(features[rows], labels[rows], return_dict=True)["loss"]))
        losses.append(float(np.mean(done)))
    return losses


def main():
    keras.utils.set_random_seed(1)
    features = formula.uniform("dropout features", (IMAGES, FEATURES)).astype("float32")
    # A third of the features determines the class.
    labels = (features[:, : FEATURES // 3].sum(axis=1, keepdims=True) > 0).astype("float32")
    cases = []
    for case in CASES:
        model = build(case)
        trainings = []
        for _ in range(TRAININGS):
            start(model)
            trainings.append(train(model, features, labels))
        means = np.mean(trainings, axis=0)
        errors = np.std(trainings, axis=0, ddof=1) / np.sqrt(TRAININGS)
        cases.append({**case, "means": means.tolist(), "standardErrors": errors.tolist()})
    sizes = {"images": IMAGES, "features": FEATURES, "batch": BATCH, "trainings": TRAININGS}
    print(json.dumps({"keras": keras.__version__, **sizes, "cases": cases}, indent=1))


main()
