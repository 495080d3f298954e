import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReport } from '../../../services/cli/report/render-report.ts';
import { REPORT_CASES } from '../../support/report-cases.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Narrow telephones, and the widths at which the page changes from one column to two and reaches its full width. */
const WIDTHS = [360, 400, 799, 801, 1280];
const CASES = ['demo', 'search', 'classes', 'longValues', 'evil', 'evilClasses', 'running'];

interface Measured {
  readonly name: string;
  /** Pixels by which the page is wider than its window. */
  readonly extra: number;
  /** Strings that are on more than one line although they should not be. */
  readonly cut: readonly string[];
  readonly measuredCount: number;
  readonly height: number;
}

/** Returns the first Chromium on the path; null if there is none. */
function findChromium(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const path of NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one.
    }
  }
  return null;
}

/** Elements whose own text, without that of the elements in them, stays on one line. */
const UNBROKEN = '.headline dd, .whole, td.number, th.number, td.short, .state, .tag';

/** A page that lays every report out at every width, and reports the frames that scroll sideways or have run a script. */
function measuringPage(reports: ReadonlyMap<string, string>): string {
  const frames = [...reports].flatMap(([name, report]) =>
    WIDTHS.map(
      (width) =>
        `<iframe data-name="${name} at ${width}" style="width:${width}px;height:800px;border:0" srcdoc="${report
          .replaceAll('&', '&amp;')
          .replaceAll('"', '&quot;')}"></iframe>`,
    ),
  );
  return `<!doctype html><body>${frames.join('\n')}<pre id="result"></pre><script>
    addEventListener('load', () => {
      const measured = [...document.querySelectorAll('iframe')].map((frame) => {
        const { documentElement: root } = frame.contentDocument;
        const own = [...frame.contentDocument.querySelectorAll('${UNBROKEN}')].flatMap(({ childNodes }) =>
          [...childNodes].filter(({ nodeType, data }) => nodeType === Node.TEXT_NODE && data.trim() !== ''));
        const linesOf = (node) => {
          const range = frame.contentDocument.createRange();
          range.selectNodeContents(node);
          return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
        };
        const cut = own.filter((node) => linesOf(node) > 1).map(({ data }) => data.trim());
        // In a folded table nothing has a place; the open ones are enough to see that something was measured.
        const measuredCount = own.filter((node) => linesOf(node) === 1).length;
        return { name: frame.dataset.name, extra: root.scrollWidth - root.clientWidth, cut, measuredCount, height: root.scrollHeight };
      });
      document.querySelector('#result').textContent = JSON.stringify(measured);
    });
  </script></body>`;
}

const chromium = findChromium();
const reason = 'no Chromium on the path (apt-get install chromium)';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-browser-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the report in a browser', () => {
  it(
    'never scrolls sideways as a whole, and breaks no number, from a telephone to a desktop',
    { timeout: 120_000 },
    async (context) => {
      if (chromium === null) return context.skip(reason);
      const reports = new Map(CASES.map((name) => [name, renderReport(REPORT_CASES[name]!())]));
      const file = join(folder, 'measure.html');
      writeFileSync(file, measuringPage(reports));
      const { stdout } = await promisify(execFile)(
        chromium,
        [
          '--headless=new',
          '--no-sandbox',
          '--disable-gpu',
          `--user-data-dir=${join(folder, 'profile')}`,
          '--timeout=60000',
          '--dump-dom',
          `file://${file}`,
        ],
        { maxBuffer: 100e6, timeout: 110_000 },
      );
      const [, json = '[]'] = /<pre id="result">(.*?)<\/pre>/s.exec(stdout) ?? [];
      const measured = JSON.parse(json) as Measured[];
      expect(measured).toHaveLength(CASES.length * WIDTHS.length);
      expect(
        measured.filter((one) => one.extra > 0 || one.cut.length > 0 || one.measuredCount < 20 || one.height < 1_000),
      ).toEqual([]);
    },
  );
});
