"""Suggests points by the samplers of Optuna and SMAC: one JSON line in, one out.

{"do": "start", "peer": NAME, "seed": 1, "count": 48, "dimensions": [...]}  ->  {"started": true}
{"do": "ask", "count": 8}            ->  {"points": [{...}, ...], "seconds": 0.1}
{"do": "tell", "values": [0.3, ...]}  ->  {"seconds": 0.0}: of the points asked last, in their order
{"do": "best"}                       ->  {"point": {...}}: SMAC's incumbent

Values are minimised. Each library's own class decides; dimensions are suggested as its documentation says, conditional ones only where
they exist.
"""

import json
import logging
import sys
import tempfile
import time
import warnings

answers = sys.stdout
sys.stdout = sys.stderr
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)


class Optuna:
    def __init__(self, job, sampler):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.dimensions = job["dimensions"]
        self.study = optuna.create_study(sampler=sampler(optuna.samplers, job["seed"]))

    def ask(self, count):
        self.trials = [self.study.ask() for _ in range(count)]
        return [self.suggest(trial) for trial in self.trials]

    def suggest(self, trial):
        point = {}
        for one in self.dimensions:
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

    def tell(self, values):
        for trial, value in zip(self.trials, values):
            self.study.tell(trial, value)


class Smac:
    """A facade of SMAC with its defaults, but with ten points before the model speaks, as the others have."""

    def __init__(self, job, facade, repeats=False):
        import smac

        self.values = smac.runhistory.TrialValue
        facade = getattr(smac, facade)
        self.folder = tempfile.TemporaryDirectory()
        scenario = smac.Scenario(
            space(job["dimensions"]),
            deterministic=not repeats,
            n_trials=job["count"],
            seed=job["seed"],
            output_directory=self.folder.name,
        )
        self.smac = facade(
            scenario,
            lambda config, seed=0: 0.0,
            initial_design=facade.get_initial_design(scenario, n_configs=10, max_ratio=1),
            logging_level=False,
            overwrite=True,
        )

    def ask(self, count):
        self.trials = [self.smac.ask() for _ in range(count)]
        return [point_of(trial.config) for trial in self.trials]

    def tell(self, values):
        for trial, value in zip(self.trials, values):
            self.smac.tell(trial, self.values(cost=value), save=False)

    def best(self):
        return point_of(self.smac.intensifier.get_incumbent())


def space(dimensions):
    import ConfigSpace

    chosen = ConfigSpace.ConfigurationSpace()
    for one in dimensions:
        name = one["name"]
        if one["kind"] == "choice":
            chosen.add(ConfigSpace.CategoricalHyperparameter(name, list(range(one["count"]))))
        elif one["kind"] == "steps":
            if one["step"] != 1:
                raise ValueError(f"{name} has steps of {one['step']}; SMAC's integers have steps of 1.")
            chosen.add(ConfigSpace.UniformIntegerHyperparameter(name, one["low"], one["high"]))
        else:
            chosen.add(ConfigSpace.UniformFloatHyperparameter(name, one["low"], one["high"]))
    for one in dimensions:
        condition = one.get("when")
        if condition:
            chosen.add(ConfigSpace.InCondition(chosen[one["name"]], chosen[condition["name"]], condition["anyOf"]))
    return chosen


def point_of(config):
    return {name: float(value) if isinstance(value, float) else int(value) for name, value in dict(config).items()}


PEERS = {
    "optuna-tpe": lambda job: Optuna(job, lambda samplers, seed: samplers.TPESampler(seed=seed)),
    "optuna-group": lambda job: Optuna(
        job, lambda samplers, seed: samplers.TPESampler(seed=seed, multivariate=True, group=True)
    ),
    "optuna-gp": lambda job: Optuna(job, lambda samplers, seed: samplers.GPSampler(seed=seed)),
    "smac-forest": lambda job: Smac(job, "HyperparameterOptimizationFacade"),
    "smac-gp": lambda job: Smac(job, "BlackBoxFacade"),
    "smac-repeats": lambda job: Smac(job, "HyperparameterOptimizationFacade", repeats=True),
}


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


answer({"ready": True})
peer = None
for line in sys.stdin:
    job = json.loads(line)
    start = time.perf_counter()
    if job["do"] == "start":
        if job["peer"] == "optuna-gp":
            import torch

            torch.set_num_threads(1)
        peer = PEERS[job["peer"]](job)
        answer({"started": True})
    elif job["do"] == "ask":
        points = peer.ask(job["count"])
        answer({"points": points, "seconds": time.perf_counter() - start})
    elif job["do"] == "best":
        answer({"point": peer.best()})
    else:
        peer.tell(job["values"])
        answer({"seconds": time.perf_counter() - start})
