"""Runs the schedulers of other libraries as a search would: one JSON line in, one out.

{"do": "start", "peer": NAME, "count": 24, "epochs": 52, "first": 6, "factor": 3, "seed": 1}  ->  {"reports": [6, 18, 52]}
{"do": "ask"}                                      ->  {"run": 0}, or {"run": null} when there is nothing to start or resume
{"do": "tell", "run": 0, "epoch": 6, "value": 0.9}  ->  {"go": true}; false: stopped or paused

Values are maximised. Each library's own class decides; nothing is re-implemented here.
"""

import json
import logging
import sys
from datetime import datetime
from types import SimpleNamespace

answers = sys.stdout
sys.stdout = sys.stderr
logging.disable(logging.CRITICAL)


def rungs(job):
    """Epochs at which asynchronous successive halving compares runs, and the last one."""
    levels = []
    epoch = job["first"]
    while epoch < job["epochs"]:
        levels.append(epoch)
        epoch *= job["factor"]
    return [*levels, job["epochs"]]


class InOrder:
    """A peer that starts runs in order and never resumes one."""

    def __init__(self, job):
        self.job = job
        self.reports = rungs(job)
        self.started = 0

    def ask(self):
        if self.started == self.job["count"]:
            return None
        self.started += 1
        self.add(self.started - 1)
        return self.started - 1


class Optuna(InOrder):
    def __init__(self, job, pruner, every_epoch=False):
        import optuna

        super().__init__(job)
        if every_epoch:
            self.reports = list(range(1, job["epochs"] + 1))
        self.state = optuna.trial.TrialState
        sampler = optuna.samplers.RandomSampler(seed=job["seed"])
        self.study = optuna.create_study(
            study_name=str(job["seed"]), direction="maximize", pruner=pruner(optuna.pruners), sampler=sampler
        )
        self.trials = {}

    def add(self, run):
        self.trials[run] = self.study.ask()

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


class Ray(InOrder):
    def __init__(self, job):
        from ray.tune.schedulers.async_hyperband import AsyncHyperBandScheduler

        super().__init__(job)
        self.scheduler = AsyncHyperBandScheduler(
            time_attr="epoch",
            metric="value",
            mode="max",
            max_t=job["epochs"],
            grace_period=job["first"],
            reduction_factor=job["factor"],
        )
        self.trials = {}

    def add(self, run):
        self.trials[run] = SimpleNamespace(trial_id=str(run))
        self.scheduler.on_trial_add(None, self.trials[run])

    def tell(self, run, epoch, value):
        result = {"epoch": epoch, "value": value}
        return self.scheduler.on_trial_result(None, self.trials[run], result) == "CONTINUE"


def syne_trial(run):
    from syne_tune.backend.trial_status import Trial

    return Trial(trial_id=run, config={"index": run}, creation_time=datetime(2000, 1, 1))


class SyneTune(InOrder):
    def __init__(self, job):
        from syne_tune.config_space import randint
        from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

        super().__init__(job)
        self.scheduler = AsynchronousSuccessiveHalving(
            {"index": randint(0, job["count"] - 1)},
            metric="value",
            do_minimize=False,
            time_attr="epoch",
            max_t=job["epochs"],
            grace_period=job["first"],
            reduction_factor=job["factor"],
            random_seed=job["seed"],
        )
        self.trials = {}

    def add(self, run):
        self.trials[run] = syne_trial(run)
        self.scheduler.on_trial_add(self.trials[run])

    def tell(self, run, epoch, value):
        return self.scheduler.on_trial_result(self.trials[run], {"epoch": epoch, "value": value}) == "CONTINUE"


class SyneTunePromotion:
    """Pauses at rungs and resumes; versions after 0.14 have it no more."""

    def __init__(self, job):
        from syne_tune.config_space import randint
        from syne_tune.optimizer.schedulers.legacy_hyperband import LegacyHyperbandScheduler

        self.job = job
        self.reports = rungs(job)
        self.scheduler = LegacyHyperbandScheduler(
            {"index": randint(0, job["count"] - 1), "epochs": job["epochs"]},
            searcher="random",
            search_options={"debug_log": False},
            points_to_evaluate=[{"index": run} for run in range(job["count"])],
            type="promotion",
            metric="value",
            mode="max",
            resource_attr="epoch",
            max_resource_attr="epochs",
            grace_period=job["first"],
            reduction_factor=job["factor"],
            random_seed=job["seed"],
        )
        self.trials = {}

    def ask(self):
        suggestion = self.scheduler.suggest(len(self.trials))
        if suggestion is None:
            return None
        if not suggestion.spawn_new_trial_id:
            return suggestion.checkpoint_trial_id
        run = len(self.trials)
        if run == self.job["count"]:
            return None
        self.trials[run] = syne_trial(run)
        self.scheduler.on_trial_add(self.trials[run])
        return run

    def tell(self, run, epoch, value):
        result = {"epoch": epoch, "value": value}
        if epoch == self.job["epochs"]:
            self.scheduler.on_trial_complete(self.trials[run], result)
            return False
        return self.scheduler.on_trial_result(self.trials[run], result) == "CONTINUE"


PEERS = {
    "optuna-halving": lambda job: Optuna(
        job,
        lambda pruners: pruners.SuccessiveHalvingPruner(min_resource=job["first"], reduction_factor=job["factor"]),
    ),
    "optuna-hyperband": lambda job: Optuna(
        job,
        lambda pruners: pruners.HyperbandPruner(
            min_resource=job["first"], max_resource=job["epochs"], reduction_factor=job["factor"]
        ),
    ),
    "optuna-median": lambda job: Optuna(job, lambda pruners: pruners.MedianPruner(n_warmup_steps=job["first"] - 1), True),
    "ray-asha": Ray,
    "syne-asha": SyneTune,
    "syne-promotion": SyneTunePromotion,
}


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
        answer({"run": peer.ask()})
    else:
        answer({"go": peer.tell(job["run"], job["epoch"], job["value"])})
