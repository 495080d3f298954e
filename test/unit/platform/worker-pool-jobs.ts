import { serveJobs } from '../../../services/platform/lifecycle/worker-jobs.ts';

export const TEST_JOBS = {
  double: (value: number): number => 2 * value,
  loop: (value: number): number => {
    let sum = value;
    for (;;) sum += 1;
    return sum;
  },
  fail: (message: string): never => {
    throw new Error(message);
  },
  fill: (value: number): number => {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, () => value + Math.random()));
    return kept.length;
  },
};

serveJobs(TEST_JOBS);
