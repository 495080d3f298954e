import { TestRunner } from 'vitest';

/** A comparison with Keras that a test made. */
export interface ParityFigure {
  /** What was compared, for example `forward pass`. */
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
