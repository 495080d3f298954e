import { curvesSection } from './curves-section.ts';
import { effectsSection } from './effects-section.ts';
import { failuresSection } from './failures-section.ts';
import { frontSection } from './front-section.ts';
import { finalistsSection } from './finalists-section.ts';
import { html, tagList } from './html.ts';
import { leaderboardSection, stateBadge } from './leaderboard-section.ts';
import { time } from './numbers.ts';
import { planSection } from './plan-section.ts';
import { hasEnded } from './report-data.ts';
import type { ReportData } from './report-data.ts';
import { searchSection } from './search-section.ts';
import { sourceSection } from './source-section.ts';
import { STYLES } from './styles.ts';
import { summarySection } from './summary-section.ts';
import { sweepSection } from './sweep-section.ts';
import { testSection } from './test-section.ts';

/** Renders one self-contained page: no script, no network request. */
export function renderReport(data: ReportData): string {
  const { sweep } = data;
  const title = sweep.displayName === '' ? `Sweep ${sweep.sweepId}` : sweep.displayName;
  const failures = failuresSection(data);
  const effects = effectsSection(data);
  const finalists = finalistsSection(data);
  const search = searchSection(data);
  const front = frontSection(data);
  const chapters: readonly (readonly [string, string])[] = [
    ['leaderboard', 'Leaderboard'],
    ...(front === null ? [] : [['front', 'Size'] as const]),
    ...(finalists === null ? [] : [['finalists', 'Finalists'] as const]),
    ...(failures === null ? [] : [['failures', 'Failures'] as const]),
    ...(effects === null ? [] : [['parameters', 'Parameters'] as const]),
    ...(search === null ? [] : [['search', 'Search'] as const]),
    ['curves', 'Curves'],
    ['test', 'Test'],
    ['sweep', 'Sweep'],
    ['plan', 'Plan'],
    ['again', 'Use and repeat'],
  ];
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} – Graft report${hasEnded(sweep) ? '' : ' (unfinished)'}</title>
        <style>
          ${STYLES}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          <p class="faint">Sweep ${sweep.sweepId} · ${stateBadge(sweep.state)} · report of ${time(data.createTime)}</p>
          ${tagList(sweep.tags)} ${sweep.notes === '' ? null : html`<p class="lines">${sweep.notes}</p>`}
          ${summarySection(data)}
          <nav aria-label="Sections">${chapters.map(([id, name]) => html`<a href="#${id}">${name}</a> `)}</nav>
        </header>
        <main>
          ${leaderboardSection(data)} ${front} ${finalists} ${failures} ${effects} ${search} ${curvesSection(data)}
          ${testSection(data)} ${sweepSection(data)} ${planSection(data)} ${sourceSection(data)}
        </main>
        <footer>
          <p>
            Made by Graft ${data.versions.graft} on ${time(data.createTime)}. Ranks come from the validation split
            alone.
          </p>
        </footer>
      </body>
    </html> `;
  return page.text;
}
