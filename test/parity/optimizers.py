"""Makes optimizers.json: 20 steps of each Keras optimizer on two small variables with gradients of a closed formula.

Run with keras 3.15 on tensorflow 2.21: python optimizers.py > optimizers.json
"""

import json
import math

import keras
import numpy as np

STEPS = 20
SHAPES = [[3, 4], [4]]

CASES = {
    "rmsprop": (
        keras.optimizers.RMSprop(1e-3, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False),
        {"name": "rmsprop", "learningRate": 1e-3, "rho": 0.9, "momentum": 0, "epsilon": 1e-7, "centered": False},
    ),
    "rmsprop with momentum and a large epsilon": (
        keras.optimizers.RMSprop(1e-2, rho=0.8, momentum=0.5, epsilon=1e-2, centered=False),
        {"name": "rmsprop", "learningRate": 1e-2, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-2, "centered": False},
    ),
    "rmsprop centered": (
        keras.optimizers.RMSprop(1e-3, rho=0.9, momentum=0.3, epsilon=1e-3, centered=True),
        {"name": "rmsprop", "learningRate": 1e-3, "rho": 0.9, "momentum": 0.3, "epsilon": 1e-3, "centered": True},
    ),
    "adam": (
        keras.optimizers.Adam(1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7),
        {"name": "adam", "learningRate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    ),
    "adam with a large epsilon": (
        keras.optimizers.Adam(1e-2, beta_1=0.7, beta_2=0.9, epsilon=1e-1),
        {"name": "adam", "learningRate": 1e-2, "beta1": 0.7, "beta2": 0.9, "epsilon": 1e-1},
    ),
    "adamw": (
        keras.optimizers.AdamW(1e-2, weight_decay=0.04, beta_1=0.9, beta_2=0.999, epsilon=1e-7),
        {"name": "adamw", "learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7, "weightDecay": 0.04},
    ),
    "sgd": (
        keras.optimizers.SGD(1e-2),
        {"name": "sgd", "learningRate": 1e-2, "momentum": 0, "nesterov": False},
    ),
    "sgd with momentum": (
        keras.optimizers.SGD(1e-2, momentum=0.9),
        {"name": "sgd", "learningRate": 1e-2, "momentum": 0.9, "nesterov": False},
    ),
    "sgd with Nesterov's momentum": (
        keras.optimizers.SGD(1e-2, momentum=0.9, nesterov=True),
        {"name": "sgd", "learningRate": 1e-2, "momentum": 0.9, "nesterov": True},
    ),
    "rmsprop, each variable's gradient clipped": (
        keras.optimizers.RMSprop(1e-3, clipnorm=0.7),
        {"name": "rmsprop", "learningRate": 1e-3, "rho": 0.9, "momentum": 0, "epsilon": 1e-7, "centered": False,
         "clipping": {"by": "norm", "limit": 0.7}},
    ),
    "sgd, each variable's gradient clipped": (
        keras.optimizers.SGD(1e-2, momentum=0.9, clipnorm=1.5),
        {"name": "sgd", "learningRate": 1e-2, "momentum": 0.9, "nesterov": False, "clipping": {"by": "norm", "limit": 1.5}},
    ),
    "adam, all gradients clipped together": (
        keras.optimizers.Adam(1e-2, epsilon=1e-1, global_clipnorm=1.2),
        {"name": "adam", "learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-1,
         "clipping": {"by": "global_norm", "limit": 1.2}},
    ),
    "sgd, all gradients clipped together, seldom": (
        keras.optimizers.SGD(1e-2, global_clipnorm=2.75),
        {"name": "sgd", "learningRate": 1e-2, "momentum": 0, "nesterov": False,
         "clipping": {"by": "global_norm", "limit": 2.75}},
    ),
    "adamw, values clipped": (
        keras.optimizers.AdamW(1e-2, weight_decay=0.04, epsilon=1e-3, clipvalue=0.4),
        {"name": "adamw", "learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-3, "weightDecay": 0.04,
         "clipping": {"by": "value", "limit": 0.4}},
    ),
    "rmsprop, 3 batches accumulated": (
        keras.optimizers.RMSprop(1e-3, gradient_accumulation_steps=3),
        {"name": "rmsprop", "learningRate": 1e-3, "rho": 0.9, "momentum": 0, "epsilon": 1e-7, "centered": False,
         "gradientAccumulationSteps": 3},
    ),
    "adamw, 4 batches accumulated, all gradients clipped together": (
        keras.optimizers.AdamW(1e-2, weight_decay=0.04, epsilon=1e-3, global_clipnorm=0.6, gradient_accumulation_steps=4),
        {"name": "adamw", "learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-3, "weightDecay": 0.04,
         "clipping": {"by": "global_norm", "limit": 0.6}, "gradientAccumulationSteps": 4},
    ),
    "adam, averaged": (
        keras.optimizers.Adam(1e-2, epsilon=1e-3, use_ema=True, ema_momentum=0.99),
        {"name": "adam", "learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-3, "emaMomentum": 0.99},
    ),
    "sgd with momentum, 3 batches accumulated, averaged": (
        keras.optimizers.SGD(1e-2, momentum=0.9, clipnorm=0.5, gradient_accumulation_steps=3, use_ema=True, ema_momentum=0.8),
        {"name": "sgd", "learningRate": 1e-2, "momentum": 0.9, "nesterov": False, "clipping": {"by": "norm", "limit": 0.5},
         "gradientAccumulationSteps": 3, "emaMomentum": 0.8},
    ),
    "sgd, momentum cycled": (
        keras.optimizers.SGD(1e-2, momentum=0.9),
        {"name": "sgd", "learningRate": 1e-2, "momentum": 0.9, "nesterov": False},
    ),
    "adam, beta 1 cycled": (
        keras.optimizers.Adam(1e-2, epsilon=1e-3),
        {"name": "adam", "learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-3},
    ),
}


def cycled_momentum(step):
    return 0.95 - 0.02 * (step % 5)


def initial(variable, index):
    return math.sin(1.7 * index + variable + 0.3)


def gradient(variable, step, index):
    return math.cos(0.9 * step + 1.3 * index + 2.1 * variable) * (1.0 + 0.1 * variable)


def filled(shape, function):
    count = int(np.prod(shape))
    return np.array([function(i) for i in range(count)], "float32").reshape(shape)


def run(name, optimizer):
    variables = [keras.Variable(filled(s, lambda i, v=v: initial(v, i))) for v, s in enumerate(SHAPES)]
    for step in range(STEPS):
        gradients = [filled(s, lambda i, v=v: gradient(v, step, i)) for v, s in enumerate(SHAPES)]
        if name.endswith("cycled"):
            setattr(optimizer, "momentum" if hasattr(optimizer, "momentum") else "beta_1", cycled_momentum(step))
        optimizer.apply(gradients, variables)
    values = [listed(variable) for variable in variables]
    if optimizer.use_ema:
        # As at the end of `fit`: the averages become the values.
        optimizer.finalize_variable_values(variables)
    return {"values": values, "final": [listed(variable) for variable in variables]}


def listed(variable):
    return np.asarray(variable).ravel().astype("float64").tolist()


cases = [{"name": name, "config": config, **run(name, optimizer)} for name, (optimizer, config) in CASES.items()]
print(json.dumps({"keras": keras.__version__, "steps": STEPS, "shapes": SHAPES, "cases": cases}, indent=1))
