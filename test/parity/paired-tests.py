"""Makes paired-tests.json: p values of SciPy for drawn outcomes and losses of two runs, and tails of distributions.

Run with scipy 1.16: python paired-tests.py > paired-tests.json
"""

import json

import numpy as np
import scipy
from scipy import stats

from draws import Draws

# (images that only the reference has right, images that only the candidate has right)
DISCORDANT = [
    (0, 0), (1, 0), (0, 4), (4, 0), (7, 5), (5, 7), (31, 12), (12, 31), (80, 80), (400, 317), (900, 1000), (5000, 5000),
    (26000, 24000), (50000, 50000), (50300, 49700), (49700, 50300), (52000, 48000), (100000, 0),
]
# step: distance between losses, 0 for none, so that differences tie and some are 0.
LOSSES = [
    {"images": 1, "shift": 0.5, "step": 0},
    {"images": 8, "shift": 0.1, "step": 0.25},
    {"images": 13, "shift": 0.3, "step": 0.5},
    {"images": 13, "shift": -0.4, "step": 0.5},
    {"images": 14, "shift": 0.2, "step": 0},
    {"images": 60, "shift": 0.2, "step": 0},
    {"images": 99, "shift": 0.4, "step": 0},
    {"images": 99, "shift": -0.3, "step": 0},
    {"images": 100, "shift": 0.2, "step": 0},
    {"images": 101, "shift": 0.2, "step": 0.5},
    {"images": 1000, "shift": 0.05, "step": 0},
    {"images": 1000, "shift": -0.05, "step": 0},
    {"images": 1000, "shift": 0.5, "step": 0},
    {"images": 20000, "shift": 0.01, "step": 0},
]


def losses(case, seed):
    draws = Draws(seed)

    def loss(shift):
        value = -np.log(1 - draws.next()) + shift
        return round(value / case["step"]) * case["step"] if case["step"] else value

    pairs = [(loss(case["shift"]), loss(0)) for _ in range(case["images"])]
    return np.array(pairs, "float32").astype("float64").T


def compare(case, seed):
    candidate, reference = losses(case, seed)
    differences = candidate - reference
    clipped = np.clip(differences, *np.percentile(differences, [1, 99]))
    if len(clipped) >= 100:
        p = stats.ttest_1samp(clipped, 0, alternative="greater").pvalue
    else:
        method = "auto" if case["step"] else "exact"
        p = stats.wilcoxon(clipped, zero_method="zsplit", alternative="greater", method=method).pvalue
    error = np.std(candidate, ddof=1) / np.sqrt(len(candidate)) if len(candidate) > 1 else None
    return {**case, "seed": seed, "meanDifference": float(clipped.mean()), "pValue": float(p), "standardError": error}


def mid_p(b, c):
    distribution = stats.binom(b + c, 0.5)
    return float(distribution.sf(b) + distribution.pmf(b) / 2)


print(
    json.dumps(
        {
            "scipy": scipy.__version__,
            "mcnemar": [{"referenceOnly": b, "candidateOnly": c, "pValue": mid_p(b, c)} for b, c in DISCORDANT],
            "losses": [compare(case, 3000 + index) for index, case in enumerate(LOSSES)],
            "normal": [{"z": z, "tail": float(stats.norm.sf(z))} for z in (-9, -2.5, 0, 0.3, 1.96, 1.999, 2, 3.5, 8, 30)],
            "quantiles": [{"p": p, "z": float(stats.norm.ppf(p))} for p in (0.01, 0.2, 0.5, 0.9, 0.95, 0.999)],
            "student": [
                {"t": t, "freedom": freedom, "tail": float(stats.t.sf(t, freedom))}
                for freedom in (1, 2, 12, 99, 999, 19999)
                for t in (-2, 0, 0.1, 1, 2.5, 8, 25)
            ],
        },
        indent=1,
    )
)
