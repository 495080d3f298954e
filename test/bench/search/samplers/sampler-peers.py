"""Suggests points by Optuna's samplers: one JSON line in, one out.

{"do": "start", "peer": NAME, "seed": 1, "dimensions": [...]}  ->  {"started": true}
{"do": "ask", "count": 8}                                      ->  {"points": [{...}, ...], "seconds": 0.1}
{"do": "tell", "values": [0.3, ...]}                            ->  {"seconds": 0.0}: of the points asked last, in their order

Values are minimised. Each library's own class decides; dimensions are suggested as Optuna's documentation tells, conditional ones only
where they exist.
"""

import json
import sys
import time
import warnings

import optuna

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
try:
    import torch

    torch.set_num_threads(1)
except ImportError:
    pass

PEERS = {
    "optuna-tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "optuna-group": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "optuna-gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
}


def suggest(trial, dimensions):
    point = {}
    for one in dimensions:
        name, condition = one["name"], one.get("when")
        if condition and point.get(condition["name"]) not in condition["anyOf"]:
            continue
        if one["kind"] == "choice":
            point[name] = trial.suggest_categorical(name, list(range(one["count"])))
        elif one["kind"] == "steps":
            point[name] = trial.suggest_int(name, one["low"], one["high"], step=one["step"])
        else:
            point[name] = trial.suggest_float(name, one["low"], one["high"])
    return point


def answer(value):
    print(json.dumps(value), flush=True)


answer({"ready": True})
study, dimensions, trials = None, [], []
for line in sys.stdin:
    job = json.loads(line)
    start = time.perf_counter()
    if job["do"] == "start":
        study, dimensions = optuna.create_study(sampler=PEERS[job["peer"]](job["seed"])), job["dimensions"]
        answer({"started": True})
    elif job["do"] == "ask":
        trials = [study.ask() for _ in range(job["count"])]
        answer({"points": [suggest(trial, dimensions) for trial in trials], "seconds": time.perf_counter() - start})
    else:
        for trial, value in zip(trials, job["values"]):
            study.tell(trial, value)
        answer({"seconds": time.perf_counter() - start})
