import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { OptimizerConfig } from '../../services/core/run-config.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import { Optimizer } from '../../services/trainer/heads/optimizer.ts';
import { ResourceVariable } from '../../services/trainer/heads/resource-variable.ts';
import { recordParity } from './table.ts';

interface Expected {
  readonly keras: string;
  readonly steps: number;
  readonly shapes: readonly (readonly number[])[];
  readonly cases: readonly { name: string; config: OptimizerConfig; values: readonly (readonly number[])[] }[];
}

const LIMIT = 1e-5;

/** Made by optimizers.py. */
const expected = JSON.parse(readFileSync(new URL('optimizers.json', import.meta.url), 'utf8')) as Expected;

describe(`optimizers against Keras ${expected.keras}, ${expected.steps} steps`, () => {
  it.each(expected.cases)('$name', ({ name, config, values }) => {
    const before = tf.memory().numTensors;
    const variables = expected.shapes.map(
      (shape, v) =>
        new ResourceVariable(
          `v${v}`,
          shape,
          filled(shape, (i) => Math.sin(1.7 * i + v + 0.3)),
        ),
    );
    const optimizer = new Optimizer(config, variables);
    for (let step = 0; step < expected.steps; step++) {
      const gradients = expected.shapes.map((shape, v) =>
        tf.tensor(
          filled(shape, (i) => Math.cos(0.9 * step + 1.3 * i + 2.1 * v) * (1 + 0.1 * v)),
          [...shape],
        ),
      );
      optimizer.apply(gradients, config.learningRate);
      tf.dispose(gradients);
    }
    const errors = variables.flatMap((variable, v) =>
      Array.from(variable.values(), (value, i) => {
        const wanted = values[v]?.[i] ?? NaN;
        return Math.abs(value - wanted) / Math.max(Math.abs(wanted), 1e-3);
      }),
    );
    const maxError = Math.max(...errors);
    const point = '4 optimizers and schedules';
    recordParity({ point, check: 'parameters after 20 steps', family: name, size: null, maxError, limit: LIMIT });
    expect(maxError).toBeLessThan(LIMIT);
    expect(optimizer.iterations).toBe(expected.steps);
    optimizer.dispose();
    for (const variable of variables) variable.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

function filled(shape: readonly number[], value: (index: number) => number): Float32Array {
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => value(index));
}
