import { describe, expect, it } from 'vitest';
import { renderReport } from '../../../services/cli/report/render-report.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { REPORT_CASES } from '../../support/report-cases.ts';
import { parsePage, textOf } from '../../support/report-page.ts';
import type { Node } from '../../support/report-page.ts';

const pages = new Map<string, string>();

function page(name: string): string {
  const known = pages.get(name) ?? renderReport(REPORT_CASES[name]!());
  pages.set(name, known);
  return known;
}

function open(name: string): Node {
  return parsePage(page(name));
}

function rowsOf(document: Node, section: string): string[][] {
  return [...document.querySelectorAll(`section[aria-labelledby=${section}] .scroll tbody tr`)].map((row) =>
    [...row.children].map(textOf),
  );
}

describe('the report of a sweep', () => {
  it('that runs says so, and names no winner', () => {
    const document = open('running');
    expect(textOf(document.querySelector('.notice'))).toMatch(
      /^This sweep is still running\. 5 of 14 runs had ended at .*; update this page with npx graft report sweep-case -o FILE\.$/,
    );
    expect(textOf(document.querySelector('title'))).toContain('(unfinished)');
    expect(textOf(document.querySelector('.headline'))).toContain('Best so far Run 4');
    for (const id of ['leaderboard', 'curves', 'test']) {
      expect(textOf(document.querySelector(`section[aria-labelledby=${id}]`))).not.toMatch(/winner/i);
    }
    expect(document.querySelector('tr.winner')).toBeNull();
    expect(rowsOf(document, 'leaderboard')[1]?.slice(0, 3)).toEqual(['2', '5', 'RUNNING HEAD 2/5']);
  });

  it('that failed has its reason, and no winner, rank, test or model', () => {
    const document = open('failed');
    expect(textOf(document.querySelector('.notice'))).toBe(
      'This sweep failed. There is no winner, and nothing was tested. no run succeeded weights of vgg16 are missing: /weights/vgg16.h5 (6 runs)',
    );
    expect(textOf(document.querySelector('.headline'))).toContain('Winner none no run succeeded');
    expect(new Set(rowsOf(document, 'leaderboard').map(([rank]) => rank))).toEqual(new Set(['–']));
    expect(document.querySelector('tr.winner')).toBeNull();
    expect(textOf(document.querySelector('section[aria-labelledby=test]'))).toContain('No run was tested.');
    expect(textOf(document.querySelector('section[aria-labelledby=curves]'))).toContain('No epoch was trained.');
    expect(textOf(document.querySelector('section[aria-labelledby=again]'))).toContain('There is no model to export');
    expect(rowsOf(document, 'failures')).toEqual([
      ['6', 'FAILED', 'HEAD', 'weights of vgg16 are missing: /weights/vgg16-0.h5', '0–5'],
    ]);
  });

  it('that was cancelled ranks what was reached without a winner', () => {
    const document = open('cancelled');
    expect(textOf(document.querySelector('.notice'))).toContain('This sweep was cancelled. 6 of 6 runs had ended');
    expect(textOf(document.querySelector('.headline'))).toMatch(
      /^Best run Run \d .* no winner: the sweep was cancelled/,
    );
    expect(document.querySelector('tr.winner')).toBeNull();
  });

  it('that was cancelled between its tests reports those that had ended, without a winner', () => {
    const document = open('cancelledInTest');
    expect(textOf(document.querySelector('.notice'))).toBe(
      'This sweep was cancelled. 6 of 6 runs had ended; the ranking covers what they reached, and one run had been tested.',
    );
    expect(textOf(document.querySelector('.headline'))).toMatch(/^Best run Run 0 .* Test accuracy \d\d\.\d\d %/);
    const test = textOf(document.querySelector('section[aria-labelledby=test]'));
    expect(test).toContain('The best run is the baseline (run 0) itself');
    expect(textOf(document.querySelector('body'))).not.toMatch(/the winner is/i);
  });

  it('that was cancelled before the test of the best run says that others were tested', () => {
    const data = REPORT_CASES['cancelledInTest']!();
    const [first, second, ...rest] = data.leaderboard.entries;
    const entries = [{ ...first!, testResult: null }, { ...second!, testResult: first!.testResult }, ...rest];
    const document = parsePage(renderReport({ ...data, leaderboard: { ...data.leaderboard, entries } }));
    expect(textOf(document.querySelector('.notice'))).toContain('one run had been tested');
    expect(textOf(document.querySelector('section[aria-labelledby=test]'))).toContain(
      'The best run, run 0, was not tested; the leaderboard has the results of the runs that were.',
    );
  });

  it('with long and nearly equal values has short, different labels in charts, and whole values in tables', () => {
    const document = open('longValues');
    const charts = [...document.querySelectorAll('section[aria-labelledby=parameters] svg')];
    const labels = charts.flatMap((chart) => [...chart.querySelectorAll('text')].map(textOf));
    expect(labels).toContain('{"Abyss…":0.5} 2');
    expect(labels).toContain('1.23404e-4');
    expect(labels.filter((label) => label.length > 24)).toEqual([]);
    const table = textOf(document.querySelector('[aria-label="Results by class_weights"]'));
    expect(table).toContain('{"Abyssinian shorthair":2,"Bengal":2.5,"German shorthaired pointer":1.25,');
    const cells = [...document.querySelectorAll('section[aria-labelledby=leaderboard] td.parameter .long')];
    expect(cells).toHaveLength(12 + 12);
  });

  it('counts in singular and plural, and names metrics as they are written', () => {
    const data = REPORT_CASES['six']!();
    const spec = { ...data.sweep.spec, maxRuns: 1, objective: { metric: 'val_auc', goal: 'maximize' } as const };
    const textWith = (duplicateCount: number): string => {
      const page = renderReport({
        ...data,
        sweep: { ...data.sweep, spec },
        plan: data.plan && { ...data.plan, duplicateCount },
      });
      return textOf(parsePage(page).querySelector('body'));
    };
    expect(textWith(1)).toContain('One variant was a duplicate and was omitted.');
    expect(textWith(1)).toMatch(/at most 1 run(?!s)/);
    expect(textWith(1)).toContain('Ranked by validation AUC');
    expect(textWith(2)).toContain('2 variants were duplicates and were omitted.');
  });

  it('whose best run failed in fine-tuning says which run did not win, and why', () => {
    const document = open('fineTuneFailed');
    expect(textOf(document.querySelector('.notice'))).toBe(
      'Run 12 did not win. It reached the best val_loss, 0.0210 in HEAD, epoch 5, but is FAILED in FINE_TUNE: Out of memory at 8 ' +
        'micro-batches per batch of 32. Only a run that succeeded can win.',
    );
    expect(textOf(document.querySelector('.headline'))).toMatch(/^Winner Run 11 /);
    expect(rowsOf(document, 'leaderboard').at(-1)?.slice(0, 3)).toEqual(['–', '12', 'FAILED']);
    expect(textOf(document.querySelector('tr.winner th'))).toBe('11');
  });

  it('with equal best runs says how the tie was broken', () => {
    expect(textOf(open('tie').querySelector('.headline'))).toContain(
      'tied with runs 1, 2; val_accuracy is the same, so broken by run number',
    );
  });

  it('with diverged runs marks them and keeps them off the axes', () => {
    const document = open('diverged');
    expect(textOf(document.querySelector('.outside'))).toMatch(
      /^▲ Above the axis: run \d+ \(up to .*\. × Not a finite number: /,
    );
    expect(textOf(document.querySelector('section[aria-labelledby=parameters] p'))).toMatch(
      /1 run outside the axis \(▲ or ▼/,
    );
    expect(rowsOf(document, 'failures')).toEqual([
      ['2', 'FAILED', 'HEAD', 'The loss is NaN in epoch 6 of HEAD.', '3, 7'],
    ]);
  });

  it('of one run has no section on parameters', () => {
    const document = open('one');
    expect(document.querySelector('#parameters')).toBeNull();
    expect(document.querySelectorAll('figure svg').length).toBe(4);
  });

  it('of many runs is folded after the best ones, and small', () => {
    const document = open('search');
    expect(document.querySelectorAll('section[aria-labelledby=leaderboard] > .folded > .scroll tbody tr').length).toBe(
      15,
    );
    expect(textOf(document.querySelector('section[aria-labelledby=leaderboard] summary'))).toBe('The other 185 runs');
    expect(document.querySelectorAll('section[aria-labelledby=leaderboard] tbody tr').length).toBe(200);
    expect(page('search').length).toBeLessThan(600_000);
    const begin = performance.now();
    expect(page('thousand').length).toBeLessThan(2_000_000);
    // Two seconds on an idle core.
    expect(performance.now() - begin).toBeLessThan(30_000);
  }, 60_000);

  it('shows conditional parameters as not set, in table and charts', () => {
    const document = open('search');
    expect(textOf(document.querySelector('section[aria-labelledby=leaderboard] table'))).toContain('not set');
    const effects = [...document.querySelectorAll('section[aria-labelledby=parameters] figure')];
    const tuned = effects.find((figure) => textOf(figure.querySelector('h3')) === 'fine_tune.learning_rate')!;
    expect(textOf(tuned.querySelector('svg'))).toContain('not set');
    const rows = [...tuned.querySelectorAll('tbody tr')].map((row) => [...row.children].map(textOf));
    expect(rows.map(([label]) => label).at(-1)).toBe('not set');
    expect(rows.reduce((sum, [, runs]) => sum + Number(runs), 0)).toBe(200);
    expect(rows.every(([, , , , , coverage]) => /^9[56] %$/.test(coverage ?? ''))).toBe(true);
  });

  it('of 40 classes has the matrix as a named image, the most frequent confusions, and the weakest classes first', () => {
    const document = open('classes');
    expect(document.querySelector('.heat svg')?.getAttribute('aria-label')).toBe('Confusion matrix');
    const f1s = [...document.querySelectorAll('[aria-label="Results per class"] tbody tr')].map((row) =>
      Number(textOf([...row.children][3] ?? null)),
    );
    expect(f1s).toHaveLength(15);
    expect(f1s).toEqual([...f1s].sort((a, b) => a - b));
    expect(document.querySelectorAll('[aria-label="Most frequent confusions"] tbody tr').length).toBe(15);
  });

  it('ends with the export command, a sweep file that reads back, and the versions', () => {
    const document = open('demo');
    const section = document.querySelector('section[aria-labelledby=again]')!;
    expect(textOf(section.querySelector('.command'))).toBe(
      'npx graft checkpoint export sweep-case-r0011-best --format keras -o model.keras',
    );
    const { spec } = REPORT_CASES['demo']!().sweep;
    const inPage = section.querySelector('.source')?.textContent ?? '';
    const link = section.querySelector('a[download]')?.getAttribute('href') ?? '';
    const inLink = Buffer.from(link.replace('data:application/yaml;base64,', ''), 'base64').toString();
    for (const text of [inPage, inLink])
      expect(parseSweepFile(text, { folder: '/', home: '/' })).toEqual({ spec, violations: [] });
    expect(textOf(section)).toContain('made by Graft 0.1.0 on Node 20.19.0');
    expect(rowsOf(document, 'again')).toEqual([['gpu-a-1', '0.1.0', '2.21.0', 'NVIDIA H200, NVIDIA H200']]);
  });
});

// The case of a thousand runs is as that of 200, but takes seconds to parse.
describe.each(Object.keys(REPORT_CASES).filter((name) => name !== 'thousand'))('the report of the case %s', (name) => {
  it('loads nothing, runs nothing, and shows names as text', () => {
    const document = open(name);
    expect(document.querySelectorAll('script, link, iframe, object, img[onerror], [onload]').length).toBe(0);
    expect(page(name)).not.toMatch(/(src|href)="(?!data:|#)/);
    expect(page(name)).not.toMatch(/url\((?!#)/);
    // Within quotes, "<" is a character as any other.
    expect(page(name).replaceAll(/ aria-(label|description)="[^"]*"/g, '')).not.toContain('<img src=x');
    expect(page(name)).not.toMatch(/[\p{Bidi_Control}\p{Cs}\u001b]/u);
  });

  it('names every chart, region and column, and links only to what is there', () => {
    const document = open(name);
    for (const svg of document.querySelectorAll('svg')) {
      expect(svg.getAttribute('role')).toBe('img');
      expect(svg.getAttribute('aria-label')).not.toBe('');
      expect(svg.getAttribute('aria-description')).toMatch(/\.$/);
    }
    for (const header of document.querySelectorAll('th')) expect(header.getAttribute('scope')).toMatch(/^(col|row)$/);
    for (const link of document.querySelectorAll('nav a')) {
      expect(document.querySelector(link.getAttribute('href') ?? '')).not.toBeNull();
    }
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.getAttribute('id'));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has no number that a line can break in, and no placeholder of a missing one', () => {
    const texts = [...open(name).querySelectorAll('td, th, dd, p, li')].map(({ textContent }) => textContent ?? '');
    const text = texts.join('\n');
    expect(text).not.toMatch(/\d %|\d (min|s|h|ms)\b/);
    expect(text).not.toMatch(/undefined|\[object|\bnull\b/);
    expect(text).not.toMatch(/\d\.\d{8}/);
  });
});
