import { TestRunner } from 'vitest';

/** What has to agree with Keras, in the order of the table; the first six are what Graft promises. */
export type ParityPoint =
  | '1 forward pass'
  | '2 images'
  | '3 augmentation'
  | '4 optimizers and schedules'
  | '5 training curves'
  | '6 callbacks'
  | '7 heads'
  | '8 weight files'
  | '9 exports';

/** A comparison with Keras that a test made. */
export interface ParityFigure {
  readonly point: ParityPoint;
  /** What was compared, for example `outputs`. */
  readonly check: string;
  /** Backbone, optimizer or what else there are several of. */
  readonly family: string;
  /** Height and width in pixels; null: has none. */
  readonly size: number | null;
  readonly maxError: number;
  readonly limit: number;
}

declare module 'vitest' {
  interface TaskMeta {
    parity?: ParityFigure[];
  }
}

/** Keeps a figure of the test that is running for the table at the end. Called before the assertion, so that failures show. */
export function recordParity(figure: ParityFigure): void {
  const test = TestRunner.getCurrentTest();
  if (test === undefined) throw new Error('recordParity must be called inside a test');
  test.meta.parity = [...(test.meta.parity ?? []), figure];
}
