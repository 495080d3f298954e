import { TestRunner } from 'vitest';

/** Points that have to agree with Keras, in the order of the table; Graft promises the first six. */
export type ParityPoint =
  | '1 forward pass'
  | '2 images'
  | '3 augmentation'
  | '4 optimizers and schedules'
  | '5 training curves'
  | '6 callbacks'
  | '7 heads'
  | '8 weight files'
  | '9 exports'
  | '10 metrics'
  | '11 losses'
  | '12 paired tests'
  | '13 samplers'
  | '14 probes';

/** One comparison with Keras. */
export interface ParityFigure {
  readonly point: ParityPoint;
  /** Compared quantity, for example `outputs`. */
  readonly check: string;
  /** Backbone, optimizer or another family. */
  readonly family: string;
  /** Height and width in pixels; null if there are none. */
  readonly size: number | null;
  readonly maxError: number;
  readonly limit: number;
}

declare module 'vitest' {
  interface TaskMeta {
    parity?: ParityFigure[];
  }
}

/**
 * Records a figure of the running test for the table at the end. Call it before the assertion, so that failures are
 * shown.
 */
export function recordParity(figure: ParityFigure): void {
  const test = TestRunner.getCurrentTest();
  if (test === undefined) throw new Error('recordParity must be called inside a test');
  test.meta.parity = [...(test.meta.parity ?? []), figure];
}
