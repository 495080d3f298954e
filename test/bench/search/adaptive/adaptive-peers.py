"""Runs samplers with schedulers of other libraries: one JSON line in, one out.

{"do": "start", "peer": NAME, "dimensions": 7, "epochs": 52, "first": 6, "factor": 3, "seed": 1}  ->  {"reports": [6, 18, 52]}
{"do": "ask"}                                      ->  {"run": 0, "point": [0.1, ...]}
{"do": "tell", "run": 0, "epoch": 6, "value": 0.9}  ->  {"go": true}; false: stopped

Coordinates are from 0 to 1, and values are maximised. Each library's own classes decide; nothing is re-implemented here.
"""

import json
import logging
import sys
from datetime import datetime

answers = sys.stdout
sys.stdout = sys.stderr
logging.disable(logging.CRITICAL)


def rungs(job):
    levels = []
    epoch = job["first"]
    while epoch < job["epochs"]:
        levels.append(epoch)
        epoch *= job["factor"]
    return [*levels, job["epochs"]]


class OptunaHyperband:
    """Optuna's default sampler with Hyperband, as its documentation recommends for early stopping."""

    def __init__(self, job):
        import optuna

        self.job = job
        self.reports = rungs(job)
        self.state = optuna.trial.TrialState
        pruner = optuna.pruners.HyperbandPruner(
            min_resource=job["first"], max_resource=job["epochs"], reduction_factor=job["factor"]
        )
        sampler = optuna.samplers.TPESampler(seed=job["seed"])
        self.study = optuna.create_study(
            study_name=str(job["seed"]), direction="maximize", pruner=pruner, sampler=sampler
        )
        self.trials = []

    def ask(self):
        trial = self.study.ask()
        self.trials.append(trial)
        point = [trial.suggest_float(f"x{place}", 0, 1) for place in range(self.job["dimensions"])]
        return {"run": len(self.trials) - 1, "point": point}

    def tell(self, run, epoch, value):
        trial = self.trials[run]
        trial.report(value, epoch)
        if epoch == self.job["epochs"]:
            self.study.tell(trial, value)
            return False
        if trial.should_prune():
            self.study.tell(trial, state=self.state.PRUNED)
            return False
        return True


class SyneBohb:
    def __init__(self, job):
        from syne_tune.config_space import uniform
        from syne_tune.optimizer.baselines import BOHB

        self.job = job
        self.reports = rungs(job)
        self.scheduler = BOHB(
            {f"x{place}": uniform(0, 1) for place in range(job["dimensions"])},
            metric="value",
            time_attr="epoch",
            max_t=job["epochs"],
            do_minimize=False,
            random_seed=job["seed"],
            grace_period=job["first"],
            reduction_factor=job["factor"],
        )
        self.trials = []

    def ask(self):
        from syne_tune.backend.trial_status import Trial

        config = self.scheduler.suggest().config
        trial = Trial(trial_id=len(self.trials), config=config, creation_time=datetime(2000, 1, 1))
        self.trials.append(trial)
        self.scheduler.on_trial_add(trial)
        point = [config[f"x{place}"] for place in range(self.job["dimensions"])]
        return {"run": trial.trial_id, "point": point}

    def tell(self, run, epoch, value):
        trial = self.trials[run]
        result = {"epoch": epoch, "value": value}
        if epoch == self.job["epochs"]:
            self.scheduler.on_trial_complete(trial, result)
            return False
        return self.scheduler.on_trial_result(trial, result) == "CONTINUE"


PEERS = {"optuna-tpe-hyperband": OptunaHyperband, "syne-bohb": SyneBohb}


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


answer({"ready": True})
peer = None
for line in sys.stdin:
    job = json.loads(line)
    if job["do"] == "start":
        peer = PEERS[job["peer"]](job)
        answer({"reports": peer.reports})
    elif job["do"] == "ask":
        answer(peer.ask())
    else:
        answer({"go": peer.tell(job["run"], job["epoch"], job["value"])})
