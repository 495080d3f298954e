"""Makes one-cycle.json: learning rate and momentum of each step of PyTorch's OneCycleLR.

Run with torch 2.9, which the other parity tests do not need: python one-cycle.py > one-cycle.json
The committed file was made without an installed torch: by the class OneCycleLR of torch 2.9.1's lr_scheduler.py over a stand-in for
torch.optim.Optimizer (param_groups, defaults, step), which is all that it uses. Under a whole torch 2.9 this script makes the same
numbers; that was not tried.
"""

import json
import warnings

import torch

warnings.simplefilter("ignore")

# (highest rate, steps, pct_start, div_factor, final_div_factor, base_momentum, max_momentum)
CASES = (
    (1e-3, 20, 0.3, 25.0, 1e4, 0.85, 0.95),
    (0.1, 33, 0.25, 10.0, 100.0, 0.8, 0.9),
    (1e-5, 7, 0.9, 25.0, 1.0, 0.0, 0.99),
    (0.01, 2, 0.3, 25.0, 1e4, 0.85, 0.95),
    (0.01, 12, 0.0, 25.0, 1e4, 0.85, 0.95),
)


def run(rate, steps, pct_start, div_factor, final_div_factor, base_momentum, max_momentum):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=pct_start, div_factor=div_factor, final_div_factor=final_div_factor,
        base_momentum=base_momentum, max_momentum=max_momentum,
    )
    rates, momentums = [], []
    for step in range(steps):
        (group,) = optimizer.param_groups
        rates.append(group["lr"])
        momentums.append(group["momentum"])
        optimizer.step()
        if step + 1 < steps:
            schedule.step()
    return {
        "learningRate": rate, "steps": steps, "pctStart": pct_start, "divFactor": div_factor, "finalDivFactor": final_div_factor,
        "momentum": {"base": base_momentum, "max": max_momentum}, "rates": rates, "momentums": momentums,
    }


print(json.dumps({"source": f"OneCycleLR of torch {torch.__version__}", "cases": [run(*case) for case in CASES]}, indent=1))
