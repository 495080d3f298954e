"""Makes gaussian-process.json: likelihood, gradient, posterior and expected improvement of Optuna's Gaussian process.

Run with optuna 5.0.0, scipy and torch: python gaussian-process.py > gaussian-process.json
"""

import json

import numpy as np
import optuna
import torch
from optuna._gp.acqf import LogEI, standard_logei
from optuna._gp.gp import GPRegressor
from optuna._gp.prior import default_log_prior

from draws import Draws

HISTORIES = 40
POINTS = 20
MINIMUM_NOISE = 1e-6
# Four numbers, one grid of five values, two choices.
CHOICES = [None, None, None, None, None, 3, 5]


def coordinates(draws):
    point = []
    for place, choices in enumerate(CHOICES):
        u = draws.next()
        point.append(float(int(u * choices)) if choices else (int(u * 5) + 0.5) / 5 if place == 4 else float(f"{u:.6g}"))
    return point


def estimate(number):
    draws = Draws(15000 + number)
    count = 10 + int(draws.next() * 111)
    points, scores = [], []
    for _ in range(count):
        points.append(coordinates(draws))
        scores.append(float(f"{draws.next():.6g}"))
    y = np.array(scores)
    y = (y - y.mean()) / y.std()
    raw = np.array([4 * draws.next() - 2 for _ in CHOICES] + [2 * draws.next() - 1, 4 * draws.next() - 5])
    raw_tensor = torch.from_numpy(raw).requires_grad_(True)

    def regressor(parameters):
        return GPRegressor(
            is_categorical=torch.tensor([choices is not None for choices in CHOICES]),
            X_train=torch.tensor(points, dtype=torch.float64),
            y_train=torch.from_numpy(y),
            inverse_squared_lengthscales=torch.exp(parameters[:-2]),
            kernel_scale=torch.exp(parameters[-2]),
            noise_var=torch.exp(parameters[-1]) + MINIMUM_NOISE,
        )

    gpr = regressor(raw_tensor)
    loss = -gpr.marginal_log_likelihood() - default_log_prior(gpr)
    loss.backward()
    fixed = regressor(torch.from_numpy(raw))
    fixed._cache_matrix()
    asked = torch.tensor([coordinates(draws) for _ in range(POINTS)], dtype=torch.float64)
    mean, variance = fixed.posterior(asked)

    class Space:
        pass

    improvement = LogEI(fixed, Space(), threshold=float(y.max()))
    values, gradients = [], []
    for point in asked.numpy():
        value, gradient = improvement.eval_acqf_with_grad(point)
        values.append(value)
        gradients.append(gradient[:4].tolist())
    return {
        "runs": count,
        "loss": loss.item(),
        "gradient": raw_tensor.grad.tolist(),
        "means": mean.tolist(),
        "variances": variance.tolist(),
        "improvements": values,
        "improvementGradients": gradients[:3],
    }


z = [-1000.0, -300.0, -60.0, -25.5, -25.0, -12.0, -5.0, -2.1, -2.0, -1.9, -0.5, 0.0, 0.7, 3.0, 20.0]
print(
    json.dumps(
        {
            "optuna": optuna.__version__,
            "improvement": [{"z": one, "value": value} for one, value in zip(z, standard_logei(torch.tensor(z, dtype=torch.float64)).tolist())],
            "histories": [estimate(number) for number in range(HISTORIES)],
        }
    )
)
