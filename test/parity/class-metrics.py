"""Makes class-metrics.json: scikit-learn's metrics by class of drawn predictions.

Run with scikit-learn 1.9: python class-metrics.py > class-metrics.json
"""

import json

import numpy as np
import sklearn
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from draws import Draws

# step: distance between logits, 0 for none, so that scores tie. absent: a class without images. biased: classes never predicted.
CASES = [
    {"name": "2 classes", "classCount": 2, "imageCount": 500, "step": 0},
    {"name": "2 classes, ties", "classCount": 2, "imageCount": 500, "step": 1},
    {"name": "2 classes, saturated", "classCount": 2, "imageCount": 200, "step": 0, "scale": 200},
    {"name": "2 classes, one never predicted", "classCount": 2, "imageCount": 300, "step": 0, "biased": 1},
    {"name": "3 classes", "classCount": 3, "imageCount": 400, "step": 0},
    {"name": "3 classes, one without images", "classCount": 3, "imageCount": 400, "step": 0, "absent": 1},
    {"name": "40 classes", "classCount": 40, "imageCount": 2000, "step": 0},
    {"name": "40 classes, repeated scores", "classCount": 40, "imageCount": 2000, "step": 0, "period": 7},
    {"name": "40 classes, absent and never predicted", "classCount": 40, "imageCount": 600, "step": 0, "absent": 3, "biased": 5},
]


def draw(case, seed):
    draws = Draws(seed)
    count, classes = case["imageCount"], case["classCount"]
    columns = 1 if classes == 2 else classes
    labels, rows = [], []
    for row in range(count):
        # Squared: classes of unequal size.
        label = int(draws.next() ** 2 * classes)
        if label == case.get("absent"):
            label = 0
        labels.append(label)
        values = []
        for column in range(columns):
            value = (draws.next() - 0.5) * case.get("scale", 6)
            if columns == 1:
                value += 1.5 * label - 0.75
            elif column == label:
                value += 1.5
            if case["step"]:
                value = round(value / case["step"]) * case["step"]
            values.append(value)
        if "biased" in case:
            biased = case["biased"]
            values[0 if columns == 1 else biased] = -9.0 + draws.next()
        rows.append(values)
    if "period" in case:
        rows = [rows[row % case["period"]] for row in range(count)]
    return np.array(labels), np.array(rows, "float32")


def probabilities(logits):
    values = logits.astype("float64")
    if values.shape[1] == 1:
        p = 1 / (1 + np.exp(-values[:, 0]))
        return np.stack([1 - p, p], axis=1)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def auc(labels, scores):
    if scores.shape[1] == 2:
        return roc_auc_score(labels, scores[:, 1])
    present = np.unique(labels)
    if len(present) == scores.shape[1]:
        return roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    # roc_auc_score refuses classes without images; Graft leaves them out.
    return float(np.mean([roc_auc_score(labels == c, scores[:, c]) for c in present]))


def run(case, seed):
    labels, logits = draw(case, seed)
    scores = probabilities(logits)
    predicted = (logits[:, 0] > 0).astype(int) if logits.shape[1] == 1 else logits.argmax(axis=1)
    return {
        **case,
        "seed": seed,
        "macroF1": f1_score(labels, predicted, average="macro", zero_division=0),
        "balancedAccuracy": balanced_accuracy_score(labels, predicted),
        "auc": auc(labels, scores),
    }


cases = [run(case, 1000 + index) for index, case in enumerate(CASES)]
print(json.dumps({"sklearn": sklearn.__version__, "cases": cases}, indent=1))
