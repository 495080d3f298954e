"""Makes tpe.json: sets, bandwidths, weights and densities of Optuna's multivariate TPE for drawn histories.

Run with optuna 5.0.0: python tpe.py > tpe.json
"""

import json
import math
import warnings

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.trial import TrialState, create_trial

from draws import Draws

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)

# Runs with equal values: numpy's default order of them depends on its version and on the processor; Graft's is by run number.
argsort = np.argsort
np.argsort = lambda values, kind="stable": argsort(values, kind=kind)

SPACE = {
    "real": FloatDistribution(-1.5, 4.0),
    "log": FloatDistribution(1e-5, 0.1, log=True),
    "int": IntDistribution(2, 40),
    "log_int": IntDistribution(1, 300, log=True),
    "step": FloatDistribution(0.0, 0.9, step=0.1),
    "choice": CategoricalDistribution(["a", "b", "c", "d"]),
}
HISTORIES = 40
POINTS = 50
SHOWN_KERNELS = 6


def draw(name, distribution, u):
    """A value that both languages get to the last bit: six digits."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(u * len(distribution.choices))]
    low, high = distribution.low, distribution.high
    if name in ("int", "log_int"):
        return low + int(u * (high - low + 1))
    if name == "step":
        return low + 0.1 * int(u * 10)
    value = math.exp(math.log(low) + u * (math.log(high) - math.log(low))) if distribution.log else low + u * (high - low)
    return float(f"{value:.6g}")


def point(draws):
    return {name: draw(name, distribution, draws.next()) for name, distribution in SPACE.items()}


def history(number):
    draws = Draws(9000 + number)
    trials = []
    for index in range(10 + int(draws.next() * 111)):
        parameters, kind, value, rung = point(draws), draws.next(), float(f"{draws.next():.6g}"), 1 + int(draws.next() * 3)
        state = TrialState.COMPLETE if kind < 0.6 else TrialState.PRUNED if kind < 0.85 else TrialState.RUNNING
        trial = create_trial(
            state=state,
            params=parameters,
            distributions=SPACE,
            value=value if state == TrialState.COMPLETE else None,
            # A quarter of the stopped ones have no value.
            intermediate_values={rung: value} if state == TrialState.PRUNED and kind < 0.78 else {},
        )
        trial.number = index
        trials.append(trial)
    return trials


def estimate(number):
    study = optuna.create_study(direction="maximize")
    sampler = optuna.samplers.TPESampler()
    trials = history(number)
    ended = sum(trial.state != TrialState.RUNNING for trial in trials)
    below, above = _split_trials(study, trials, default_gamma(ended))
    sampler._multivariate = True
    draws = Draws(12000 + number)
    points = [point(draws) for _ in range(POINTS)]
    samples = {name: np.array([SPACE[name].to_internal_repr(one[name]) for one in points]) for name in SPACE}

    def side(chosen, is_below):
        # Running trials have their parameters here as finished ones do.
        estimator = sampler._parzen_estimator_cls(
            {name: np.array([SPACE[name].to_internal_repr(trial.params[name]) for trial in chosen]) for name in SPACE},
            SPACE,
            sampler._parzen_estimator_parameters,
        )
        mixture = estimator._mixture_distribution
        step = max(1, len(mixture.weights) // SHOWN_KERNELS)
        return {
            "weights": mixture.weights[::step].tolist(),
            "deviations": [d.sigma[::step].tolist() for d in mixture.distributions[:-1]],
            "choices": mixture.distributions[-1].weights[::step].tolist(),
            "logDensities": estimator.log_pdf(samples).tolist(),
            "step": step,
        }

    return {
        "runs": len(trials),
        "good": [trial.number for trial in below],
        "below": side(below, True),
        "above": side(above, False),
    }


print(json.dumps({"optuna": optuna.__version__, "histories": [estimate(number) for number in range(HISTORIES)]}))
