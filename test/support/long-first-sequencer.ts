import { relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

const TEST = new URL('..', import.meta.url).pathname;

/**
 * Files that take longer than half a minute, in the order in which they begin. The longest computes all the time, so files that mostly
 * wait run beside it. None may remain for the end, when one worker would be idle.
 */
const LONG = [
  'parity/training-curves.test.ts',
  'fault/database-away.test.ts',
  'integration/mlflow/failing-server.test.ts',
  'integration/mlflow/mirror.test.ts',
  'fault/failover.test.ts',
  'fault/zombie.test.ts',
  'parity/backbones.test.ts',
  'fault/failpoints.test.ts',
  'e2e/cli.test.ts',
  'fault/chaos.test.ts',
  'parity/export.test.ts',
  'e2e/faults.test.ts',
  'e2e/checkpoint-file.test.ts',
  'fault/full-disk.test.ts',
  'fault/out-of-memory.test.ts',
];

/** Orders test files so that the long ones begin first. */
export class LongFirstSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const index = LONG.indexOf(relative(TEST, moduleId));
      return index === -1 ? LONG.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}
