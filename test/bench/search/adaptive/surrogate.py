"""Evaluates the LCBench surrogate of YAHPO Gym: one JSON line in, one out.

{"do": "curves", "task": "3945", "points": [[0.1, ...], ...]}  ->  {"curves": [{"values": [...], "seconds": [...]}, ...]}
{"do": "best", "task": "3945"}                                ->  {"best": 0.93}: final accuracy that a long search finds

Coordinates are from 0 to 1, in the order of SPACE. Values are validation accuracies after each epoch. GRAFT_LCBENCH_SURROGATE is the folder
with model.onnx and encoding.json.
"""

import json
import os
import sys

import numpy
import onnxruntime

EPOCHS = 52
# As in config_space.json of the surrogate: name, bounds, logarithmic, integer.
SPACE = [
    ("batch_size", 16, 512, True, True),
    ("learning_rate", 1e-4, 1e-1, True, False),
    ("momentum", 0.1, 0.99, False, False),
    ("weight_decay", 1e-5, 1e-1, False, False),
    ("num_layers", 1, 5, False, True),
    ("max_units", 64, 1024, True, True),
    ("max_dropout", 0, 1, False, False),
]
SECONDS, ACCURACY = 0, 1
# Search for the best point: drawn ones, then neighbours of the best ones, nearer each round.
DRAWN, KEPT, NEIGHBOURS, ROUNDS, DISTANCE, SHRINK = 10_000, 40, 40, 8, 0.2, 0.6


def configurations(points):
    columns = []
    for column, (_, low, high, is_log, is_integer) in zip(numpy.asarray(points, float).T, SPACE):
        value = low * (high / low) ** column if is_log else low + column * (high - low)
        columns.append(numpy.round(value) if is_integer else value)
    return numpy.stack(columns, 1)


class Surrogate:
    def __init__(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options)
        with open(f"{folder}/encoding.json") as file:
            self.tasks = json.load(file)["OpenML_task_id"]

    def predict(self, task, epochs, rows):
        inputs = numpy.concatenate([numpy.asarray(epochs, float)[:, None], rows], 1).astype(numpy.float32)
        codes = numpy.full((len(rows), 1), self.tasks[task], numpy.int32)
        return self.session.run(None, {"x_cat": codes, "x_cont": inputs})[0]

    def curves(self, task, points):
        rows = numpy.repeat(configurations(points), EPOCHS, 0)
        outputs = self.predict(task, numpy.tile(numpy.arange(1, EPOCHS + 1), len(points)), rows)
        outputs = outputs.reshape(len(points), EPOCHS, -1).astype(float)
        return [{"values": (one[:, ACCURACY] / 100).tolist(), "seconds": one[:, SECONDS].tolist()} for one in outputs]

    def best(self, task):
        random = numpy.random.default_rng(0)
        points = random.random((DRAWN, len(SPACE)))
        kept, finals = points[:0], numpy.zeros(0)
        for place in range(ROUNDS + 1):
            values = self.predict(task, [EPOCHS] * len(points), configurations(points))[:, ACCURACY]
            kept, finals = numpy.concatenate([kept, points]), numpy.concatenate([finals, values])
            order = numpy.argsort(-finals)[:KEPT]
            kept, finals = kept[order], finals[order]
            centres = numpy.repeat(kept, NEIGHBOURS, 0)
            step = random.normal(0, DISTANCE * SHRINK**place, centres.shape)
            points = numpy.clip(centres + step, 0, 1)
        return float(finals[0]) / 100


def answer(value):
    print(json.dumps(value), flush=True)


surrogate = Surrogate(os.environ["GRAFT_LCBENCH_SURROGATE"])
answer({"ready": True})
for line in sys.stdin:
    job = json.loads(line)
    if job["do"] == "best":
        answer({"best": surrogate.best(job["task"])})
    else:
        answer({"curves": surrogate.curves(job["task"], job["points"])})
