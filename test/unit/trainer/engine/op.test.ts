import { describe, expect, it } from 'vitest';
import { engineInfo, tf } from '../../../../services/trainer/engine/engine.ts';
import { executeOp, executeOpOutputs, typeAttribute } from '../../../../services/trainer/engine/op.ts';

describe('executeOp', () => {
  it('runs an op that tfjs lacks', () => {
    const before = tf.memory().numTensors;
    const result = tf.tidy(() => {
      const attributes = [typeAttribute('T', 'float32'), typeAttribute('Tidx', 'int32')];
      return executeOp('CumulativeLogsumexp', attributes, [tf.tensor1d([0, 0]), tf.scalar(0, 'int32')]);
    });
    expect(result.dataSync()[1]).toBeCloseTo(Math.log(2), 5);
    result.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('returns several outputs', () => {
    const input = tf.tensor1d([3, 1, 2]);
    const count = tf.scalar(2, 'int32');
    const outputs = executeOpOutputs('TopKV2', [typeAttribute('T', 'float32')], [input, count], 2);
    expect(outputs.map((output) => [...output.dataSync()])).toEqual([
      [3, 2],
      [0, 2],
    ]);
    tf.dispose([input, count, outputs]);
  });

  it("throws with TensorFlow's message", () => {
    const input = tf.zeros([2, 2]);
    expect(() => executeOp('MatMul', [typeAttribute('T', 'float32')], [input])).toThrow(
      /expected inputs 'float, float' do not match 1 inputs/,
    );
    input.dispose();
  });
});

describe('engineInfo', () => {
  it('returns engine and device', () => {
    const info = engineInfo();
    expect(info.engineVersion).toMatch(/^tensorflow \d+\.\d+\.\d+/);
    expect(info.threadCount).toBe(Number(process.env['TF_NUM_INTRAOP_THREADS']));
    expect(info.threadCount).toBeGreaterThan(0);
    expect(info.memoryBytes).toBeGreaterThan(2 ** 28);
  });
});
