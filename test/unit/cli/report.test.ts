import type { TaskEventState } from '../../../services/core/records/event.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Curves } from '../../../services/cli/report/curves.ts';
import { html } from '../../../services/cli/report/html.ts';
import { renderReport } from '../../../services/cli/report/render-report.ts';
import { confidenceOf, mostWrong } from '../../../services/cli/report/report-data.ts';
import type { ReportData } from '../../../services/cli/report/report-data.ts';
import { foldTasks } from '../../../services/cli/report/task-history.ts';
import { thumbnail } from '../../../services/cli/report/wrong-images.ts';
import { parsePage, textOf } from '../../support/report-page.ts';
import type { Node } from '../../support/report-page.ts';
import {
  sampleEvents,
  sampleMetrics,
  samplePredictions,
  sampleReport,
  sampleRun,
  sampleSweep,
} from './sample-sweep.ts';

function open(change: Partial<ReportData> = {}): { readonly page: string; readonly document: Node } {
  const page = renderReport(sampleReport(change));
  return { page, document: parsePage(page) };
}

describe('the report', () => {
  const { page, document } = open();

  it('is one self-contained page', () => {
    expect(document.querySelectorAll('script, link, iframe, object').length).toBe(0);
    expect(page).not.toMatch(/(src|href)="(?!data:|#)/);
    expect(page).not.toMatch(/url\((?!#)/);
    expect(page).toContain('<meta name="viewport"');
  });

  it('shows user input as text', () => {
    expect(textOf(document.querySelector('h1'))).toBe('heads & "tails" <b>');
    expect(document.querySelector('h1 b')).toBeNull();
  });

  it('has the winner, its test accuracy and the interval in the headline', () => {
    const headline = textOf(document.querySelector('.headline'));
    expect(headline).toContain('Run 3');
    expect(headline).toContain('95.00 %');
    expect(headline).toContain('91.04 % to 97.26 %');
    expect(headline).toContain('2 min 05 s');
  });

  it('counts all problems of the data, unlisted ones included, and says where they are stored', () => {
    const { dataset } = sampleReport();
    const blank = (number: number) =>
      ({
        code: 'BLANK_IMAGE',
        path: `train/cat/${number}.png`,
        message: `"${number}.png" is blank.`,
        fatal: false,
      }) as const;
    const rest = {
      code: 'BLANK_IMAGE',
      path: '',
      message: '70 more are not listed.',
      fatal: false,
      count: 70,
    } as const;
    const problems = [...Array.from({ length: 25 }, (_, index) => blank(index)), rest];
    const text = textOf(
      open({ dataset: dataset && { ...dataset, problems } }).document.querySelector(
        'section[aria-labelledby=sweep] details',
      ),
    );
    expect(text).toContain('95 problems of the data that did not stop the sweep');
    expect(text.match(/is blank/g)).toHaveLength(20);
    expect(text).toContain('… and 75 more: table sweeps, dataset_problems');
  });

  it('has the leaderboard by rank with intervals, and the number of runs evaluated on the test split', () => {
    const rows = [...document.querySelectorAll('section[aria-labelledby=leaderboard] tbody tr')];
    expect(rows.map((row) => textOf(row.querySelector('th')))).toEqual(['3', '4', '2', '1', '0']);
    expect(textOf(rows[0]!)).toContain('0.9500 (0.9104 – 0.9726)');
    expect(rows[0]!.getAttribute('class')).toBe('winner');
    expect(textOf(document.querySelector('section[aria-labelledby=leaderboard] p'))).toContain(
      'used to evaluate 2 of 5 runs',
    );
  });

  it('draws loss and accuracy of training and validation, the best runs in colour, with a description for screen readers', () => {
    const charts = [...document.querySelectorAll('section[aria-labelledby=curves] figure svg')];
    expect(charts.map((chart) => chart.getAttribute('aria-label'))).toEqual([
      'Validation loss',
      'Training loss',
      'Validation accuracy',
      'Training accuracy',
    ]);
    for (const chart of charts) {
      const strokes = [...chart.querySelectorAll('[stroke^="var(--run-"]')].map((line) => line.getAttribute('stroke'));
      const widths = [...chart.outerHTML.matchAll(/stroke-linejoin="round"[^>]* stroke-width="([^"]*)"/g)].map(
        ([, width]) => width,
      );
      expect(widths).toEqual(['1.8', '1.8', '1.8', '1.8']);
      expect([...new Set(strokes)].sort()).toEqual(['var(--run-1)', 'var(--run-2)', 'var(--run-3)']);
      expect(chart.getAttribute('aria-description')).toContain('run 3 ends at');
      expect(chart.outerHTML).not.toContain('NaN');
    }
    expect(textOf(document.querySelector('.legend'))).toContain('Run 3, rank 1');
  });

  it('shows tags and notes of the sweep and of runs, as text, and no columns for them where there are none', () => {
    expect(textOf(document.querySelector('section[aria-labelledby=leaderboard] thead'))).not.toMatch(/tags|notes/);
    const { leaderboard } = sampleReport();
    const entries = leaderboard.entries.map((entry, index) =>
      index === 0 ? { ...entry, run: { ...entry.run, tags: ['keep', '<b>'], notes: 'line 1\nline 2' } } : entry,
    );
    const { document: shown } = open({
      sweep: sampleSweep({ tags: ['paper'], notes: 'for <i>review</i>' }),
      leaderboard: { ...leaderboard, entries },
    });
    expect(textOf(shown.querySelector('header'))).toContain('paper for <i>review</i>');
    const cells = [...shown.querySelector('tr.winner')!.children].map(textOf);
    expect(cells.slice(-2)).toEqual(['keep <b>', 'line 1 line 2']);
  });

  it('has the figures of the test that treat all classes alike, as far as they were recorded', () => {
    const { leaderboard } = sampleReport();
    const withFigures = (macroF1: number | null, balancedAccuracy: number | null): string => {
      const entries = leaderboard.entries.map((entry) => ({
        ...entry,
        testResult: entry.testResult && { ...entry.testResult, macroF1, balancedAccuracy },
      }));
      return textOf(
        open({ leaderboard: { ...leaderboard, entries } }).document.querySelector('section[aria-labelledby=test] p'),
      );
    };
    expect(withFigures(0.9, 0.8)).toContain(
      'area under the ROC curve 0.9910, macro F1 0.9000, balanced accuracy 0.8000.',
    );
    expect(withFigures(null, null)).toContain('area under the ROC curve 0.9910.');
  });

  it('names the classes that the winner never finds', () => {
    const { leaderboard } = sampleReport();
    const entries = leaderboard.entries.map((entry) => ({
      ...entry,
      testResult: entry.testResult && {
        ...entry.testResult,
        classResults: entry.testResult.classResults.map((one) =>
          one.className === 'dog' ? { ...one, recall: 0 } : one,
        ),
      },
    }));
    const { document: shown } = open({ leaderboard: { ...leaderboard, entries } });
    expect(textOf(shown.querySelector('section[aria-labelledby=test] .notice'))).toContain(
      'Never found: dog (100 images).',
    );
    expect(document.querySelector('section[aria-labelledby=test] .notice')).toBeNull();
  });

  it('has the confusion matrix and the figures per class', () => {
    const cells = [...document.querySelectorAll('.matrix tbody td')].map(textOf);
    expect(cells).toEqual(['97', '3', '7', '93']);
    const rows = [...document.querySelectorAll('[aria-label="Results per class"] tbody tr')];
    expect(rows.map((row) => [...row.children].map(textOf))).toEqual([
      ['cat', '0.9327', '0.9700', '0.9510', '100'],
      ['dog', '0.9688', '0.9300', '0.9490', '100'],
    ]);
  });

  it('compares the winner with the baseline on the same images', () => {
    // Only the winner is right on 3 of 40 images: the interval of +7.5 % ends at 0.
    const text = textOf(document.querySelector('section[aria-labelledby=test]'));
    expect(text).toContain('not distinguishable');
    expect(text).toContain('difference in accuracy +7.50 %');
    expect(text).toContain('only run 3 classifies correctly: 3, only run 0: 0');
  });

  it('says that the winner is better if the interval excludes 0', () => {
    const predictions = new Map([
      ['s1-r003', samplePredictions([])],
      ['s1-r000', samplePredictions(Array.from({ length: 20 }, (_, index) => index))],
    ]);
    expect(textOf(open({ predictions }).document.querySelector('section[aria-labelledby=test]'))).toContain('better;');
  });

  it('says when the images are not on this machine', () => {
    expect(textOf(document.querySelector('section[aria-labelledby=wrong]'))).toContain(
      'not on the machine that made this report',
    );
    expect(document.querySelectorAll('.images .missing').length).toBe(2);
  });

  it('shows images that are on this machine, with a description', () => {
    const [first] = sampleReport().wrongImages;
    const { document: shown } = open({
      wrongImages: [{ ...first!, thumbnail: 'data:image/jpeg;base64,AAAA' }],
      wrongCount: 1,
    });
    const image = shown.querySelector('.images img');
    expect(image?.getAttribute('src')).toBe('data:image/jpeg;base64,AAAA');
    expect(image?.getAttribute('alt')).toBe('Test image test/dog/dog.9.jpg: dog, predicted cat');
  });

  it('has the plan and the attempts', () => {
    const plan = textOf(document.querySelector('section[aria-labelledby=plan]'));
    expect(plan).toContain('5 heads on shared features');
    expect(plan).toContain('20.0 times as many');
    expect(plan).toContain('2 tasks in 3 attempts: one was resumed');
    expect(plan).toContain('here-1, here-2');
  });

  it('renders a sweep that has just started', () => {
    const { document: fresh } = open({
      sweep: sampleSweep({
        state: 'ACTIVE',
        startTime: null,
        endTime: null,
        datasetId: null,
        bestRunId: null,
        bestValue: null,
      }),
      runs: [sampleRun(0, { bestValue: null, state: 'QUEUED' })],
      leaderboard: {
        entries: [{ rank: 1, run: sampleRun(0, { bestValue: null, state: 'QUEUED' }), testResult: null }],
        testLookCount: 0,
        winnerStatement: null,
        winner: null,
      },
      metrics: [],
      dataset: null,
      plan: null,
      tasks: [],
      predictions: new Map(),
      wrongImages: [],
      wrongCount: 0,
    });
    expect(textOf(fresh.querySelector('main'))).toContain('No epoch has ended yet');
    expect(textOf(fresh.querySelector('main'))).toContain('No run has been tested yet');
    expect(textOf(fresh.querySelector('main'))).toContain('No run has been evaluated on the test split');
  });

  it('keeps every wide table in a box that scrolls', () => {
    for (const table of document.querySelectorAll('table')) {
      const box = table.parentElement;
      expect(box?.getAttribute('class')).toBe('scroll');
      expect(box?.getAttribute('tabindex')).toBe('0');
      expect(box?.getAttribute('aria-label')).not.toBeNull();
    }
  });

  it('has headings in order', () => {
    const levels = [...document.querySelectorAll('h1, h2, h3')].map(({ tagName }) => Number(tagName.slice(1)));
    expect(levels[0]).toBe(1);
    levels.slice(1).forEach((level, index) => expect(level - levels[index]!).toBeLessThanOrEqual(1));
  });
});

describe('the data of a report', () => {
  it('numbers fine-tuning epochs after those of the head', () => {
    const runs = [sampleRun(3)];
    const curves = new Curves(sampleMetrics(runs), runs);
    const points = curves.curvesOf('val_loss').get(3)!;
    expect(curves.fineTuneStart(3)).toBe(7);
    expect(points.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(points[6]!.stage).toBe('FINE_TUNE');
  });

  it('has the points of a shared head once, for all runs that share it, before those of their own fine-tuning', () => {
    const runs = [0, 1, 2].map((index) => sampleRun(index, { runId: `r${index}`, headRunId: index > 0 ? 'r0' : null }));
    const row = { name: 'val_loss', value: 0.5 };
    const rows = [
      { ...row, runId: 'r0', stage: 'HEAD', epoch: 2 },
      { ...row, runId: 'r0', stage: 'HEAD', epoch: 1 },
      { ...row, runId: 'r2', stage: 'FINE_TUNE', epoch: 1 },
    ] as const;
    const curves = new Curves(rows, runs);
    const [own, shared, tuned] = [0, 1, 2].map((index) => curves.curvesOf('val_loss').get(index)!);
    expect(own?.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(shared).toBe(own);
    expect(tuned?.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(tuned?.[0]).toBe(own?.[0]);
    expect([curves.runCount, curves.fineTuneStart(1), curves.fineTuneStart(2)]).toEqual([3, null, 3]);
  });

  it('orders wrong images by the confidence in the wrong class', () => {
    expect(mostWrong(samplePredictions([3, 8, 30])).map(({ path }) => path)).toEqual([
      'test/cat/cat.30.jpg',
      'test/cat/cat.8.jpg',
      'test/dog/dog.3.jpg',
    ]);
    expect(confidenceOf({ path: 'x', label: 0, predictedLabel: 0, probabilities: [0.25] })).toBe(0.75);
  });

  it('folds tasks from their events', () => {
    const task = (state: TaskEventState, trainerId: string) =>
      ({ kind: 'TASK', taskId: 't1', stage: 'HEAD', state, trainerId, message: state }) as const;
    const [folded] = foldTasks(
      sampleEvents([task('LEASED', 'a'), task('EXPIRED', 'a'), task('LEASED', 'b'), task('SUCCEEDED', 'b')]),
    );
    expect(folded?.attempts.map(({ trainerId, state }) => [trainerId, state])).toEqual([
      ['a', 'EXPIRED'],
      ['b', 'SUCCEEDED'],
    ]);
    expect(folded?.attempts.every(({ startTime, endTime }) => startTime !== null && endTime !== null)).toBe(true);
  });

  it('escapes all values but markup', () => {
    expect(html`<p title="${'"&'}">${'<i>'}${html`<b>${1}</b>`}${[null, 'x']}</p>`.text).toBe(
      '<p title="&quot;&amp;">&lt;i&gt;<b>1</b>x</p>',
    );
  });

  it('makes thumbnails of at most 96 pixels, and none from outside the data set', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'graft-report-'));
    try {
      const image = sharp({ create: { width: 300, height: 150, channels: 3, background: '#c04020' } });
      writeFileSync(join(folder, 'wide.png'), await image.png().toBuffer());
      const url = await thumbnail(folder, 'wide.png');
      const { width, height, format } = await sharp(Buffer.from(url!.split(',')[1]!, 'base64')).metadata();
      expect([width, height, format]).toEqual([96, 48, 'jpeg']);
      expect(await thumbnail(folder, 'missing.png')).toBeNull();
      expect(await thumbnail(join(folder, 'inner'), '../wide.png')).toBeNull();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
