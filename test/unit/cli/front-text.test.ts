import { describe, expect, it } from 'vitest';
import { describeFront, frontColumns, frontNotes } from '../../../services/cli/describe/front-text.ts';
import { frontSection } from '../../../services/cli/report/front-section.ts';
import { renderReport } from '../../../services/cli/report/render-report.ts';
import { formatCount } from '../../../services/cli/terminal/format.ts';
import type { FrontEntryRecord } from '../../../services/core/records/pareto-front.ts';
import { parsePage, textOf } from '../../support/report-page.ts';
import { sampleReport, sampleRun } from './sample-sweep.ts';

/** Five runs of rising size and rising quality; run 3 is within the band of run 2. */
const RUNS = [0, 1, 2, 3, 4].map((index) =>
  sampleRun(index, {
    modelBytes: 2_000_000 * 3 ** index,
    parameterCount: 500_000 * 3 ** index,
    flops: 1e8 * 3 ** index,
  }),
);
const FRONT = [0, 1, 2, 4].map((index): FrontEntryRecord => ({
  run: RUNS[index]!,
  standardError: 0.012,
  tiedRunIndexes: index === 2 ? [3] : [],
}));

function shown(front: readonly FrontEntryRecord[], width: number | null): string {
  const columns = frontColumns(front, 'val_loss');
  return describeFront(front, { shown: front, flags: {}, width, columns });
}

describe('a Pareto front in a terminal', () => {
  it('has the value with its error, the costs, and the runs that a smaller one stands for', () => {
    const lines = shown(FRONT, null).split('\n');
    expect(lines[0]).toMatch(/^run +val_loss +± SE +model +weights +flops +in place of +head\.units/);
    expect(lines[3]).toMatch(/^ *2 +0\.0667 +0\.0120 +18\.0 MB +4\.50 M +900 M +3 +64/);
    const text = shown(FRONT, 200);
    expect(text).toContain('Run 3 is left out: better than a smaller run by at most one standard error');
    expect(text).toContain('Values are of the validation images');
  });

  it('fits into 80 columns', () => {
    for (const line of shown(FRONT, 80).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(shown(FRONT, 80)).toContain('MB');
  });

  it('says that any difference counts where results by image are unknown', () => {
    const front = FRONT.map((entry) => ({ ...entry, standardError: null, tiedRunIndexes: [] }));
    expect(frontNotes(front).join(' ')).toContain('counts as better by any difference');
    expect(shown(front, null)).not.toContain('± SE');
  });

  it.each([
    [0, '0'],
    [999, '999'],
    [1_000, '1.00 k'],
    [3_414_305, '3.41 M'],
    [999_600_000, '1.00 G'],
    [30_694_285_312, '30.7 G'],
  ])('writes the number %i as %s', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });
});

describe('a Pareto front in the report', () => {
  it('is a table and a chart of the runs by size', () => {
    const document = parsePage(renderReport(sampleReport({ runs: RUNS, front: FRONT })));
    const section = document.querySelector('section[aria-labelledby=front]');
    expect(textOf(section?.querySelector('h2') ?? null)).toBe('Size and validation loss');
    expect(section?.querySelectorAll('tbody tr').length).toBe(4);
    const chart = section?.querySelector('svg');
    expect(chart?.getAttribute('aria-description')).toContain('run 0, 2.0 MB, 0.2000; run 1, 6.0 MB, 0.1000');
    expect(document.querySelector('nav a[href="#front"]')).not.toBeNull();
  });

  it('is left out where all models have the same size, or none has known costs', () => {
    const same = RUNS.map((run) => ({ ...run, modelBytes: 1, flops: 1 }));
    expect(frontSection(sampleReport({ runs: same, front: FRONT }))).toBeNull();
    expect(frontSection(sampleReport())).toBeNull();
  });
});
