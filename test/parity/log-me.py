"""Makes log-me.json: LogME of drawn features by the published iteration, and predictions of ridge regressions fitted without each fold.

Run with numpy 2: python log-me.py > log-me.json
"""

import json

import numpy as np

from draws import Draws

# signal: distance of the class' centre from that of all images, in standard deviations.
CASES = [
    {"images": 60, "features": 90, "classes": 2, "signal": 0.0},
    {"images": 60, "features": 90, "classes": 2, "signal": 1.0},
    {"images": 90, "features": 40, "classes": 3, "signal": 0.5},
    {"images": 50, "features": 50, "classes": 5, "signal": 2.0},
    {"images": 120, "features": 200, "classes": 10, "signal": 0.8},
]
FOLDS = 5
PENALTIES = [10.0**power for power in range(-3, 4)]


def drawn(case, seed):
    """Features as float32, which are not centred, and the classes of the images."""
    draws = Draws(seed)
    labels = np.arange(case["images"]) % case["classes"]
    shape = (case["images"], case["features"])
    noise = np.array([[sum(draws.next() for _ in range(4)) - 2 for _ in range(shape[1])] for _ in range(shape[0])])
    centres = np.array([[draws.next() - 0.5 for _ in range(shape[1])] for _ in range(case["classes"])])
    offsets = np.array([3 * draws.next() for _ in range(shape[1])])
    return (noise + 2 * case["signal"] * centres[labels] + offsets).astype("float32").astype("float64"), labels


def log_me(features, labels, classes):
    """You et al. 2021, arXiv 2110.10545: the fixed point of alpha and beta from singular values, mean evidence over classes."""
    n, d = features.shape
    u, s, _ = np.linalg.svd(features, full_matrices=False)
    sigma = s**2
    values = []
    for label in range(classes):
        y = (labels == label).astype("float64")
        z = (u.T @ y) ** 2
        rest = y @ y - z.sum()
        alpha = beta = 1.0
        for _ in range(11):
            t = alpha / beta
            gamma = (sigma / (sigma + t)).sum()
            m2 = (sigma * z / (t + sigma) ** 2).sum()
            r2 = (z / (1 + sigma / t) ** 2).sum() + rest
            alpha = gamma / (m2 + 1e-5)
            beta = (n - gamma) / (r2 + 1e-5)
            if abs(alpha / beta - t) / t <= 1e-3:
                break
        total = d * np.log(alpha) + n * np.log(beta) - np.log(alpha + beta * sigma).sum()
        values.append((total - beta * r2 - alpha * m2 - n * np.log(2 * np.pi)) / (2 * n))
    return float(np.mean(values))


def ridge(features, targets, penalty):
    """Weights and intercepts that minimise the squared error plus penalty times the squared weights, by solving the equations."""
    n, d = features.shape
    design = np.hstack([features, np.ones((n, 1))])
    bounds = np.diag([penalty] * d + [0.0])
    return np.linalg.solve(design.T @ design + bounds, design.T @ targets)


def out_of_fold(features, labels, classes):
    n = len(labels)
    scaled = (features - features.mean(0)) / features.std(0) / np.sqrt(features.shape[1])
    targets = np.eye(classes)[labels]
    design = np.hstack([scaled, np.ones((n, 1))])
    errors = []
    for penalty in PENALTIES:
        bounds = np.diag([penalty] * scaled.shape[1] + [0.0])
        hat = design @ np.linalg.solve(design.T @ design + bounds, design.T)
        errors.append(((targets - hat @ targets) ** 2).sum() / n / (1 - np.trace(hat) / n) ** 2)
    penalty = PENALTIES[int(np.argmin(errors))]
    predicted = np.zeros(n, int)
    folds = np.arange(n) // classes % FOLDS
    for fold in range(FOLDS):
        inside = folds == fold
        weights = ridge(scaled[~inside], targets[~inside], penalty)
        predicted[inside] = (design[inside] @ weights).argmax(1)
    return penalty, predicted


def record(case, seed):
    features, labels = drawn(case, seed)
    penalty, predicted = out_of_fold(features, labels, case["classes"])
    value = log_me(features, labels, case["classes"])
    return {**case, "seed": seed, "logMe": value, "penalty": penalty, "predicted": predicted.tolist()}


print(json.dumps({"numpy": np.__version__, "cases": [record(case, 5000 + i) for i, case in enumerate(CASES)]}))
