import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { renderReport } from '../../../services/cli/report/render-report.ts';
import { REPORT_CASES } from '../../support/report-cases.ts';
import { runScript } from '../../support/run-script.ts';

const HELP = `Writes the report of each kind of sweep in test/support/report-cases.ts, to be viewed in a browser, with its size and rendering time.

  npm run bench:report -- --out DIR [--case NAME]
`;

function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'reports' },
      case: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return Promise.resolve(0);
  }
  if (values.case !== undefined && !Object.hasOwn(REPORT_CASES, values.case)) {
    process.stderr.write(
      `--case: there is no ${values.case}. The cases are ${Object.keys(REPORT_CASES).join(', ')}.\n`,
    );
    return Promise.resolve(2);
  }
  mkdirSync(resolve(values.out), { recursive: true });
  for (const [name, data] of Object.entries(REPORT_CASES)) {
    if (values.case !== undefined && values.case !== name) continue;
    const given = data();
    const begin = performance.now();
    const page = renderReport(given);
    const milliseconds = Math.round(performance.now() - begin);
    writeFileSync(join(resolve(values.out), `${name}.html`), page);
    const size = `${Math.round(Buffer.byteLength(page) / 1_000)} kB`;
    process.stdout.write(
      `${name.padEnd(16)} ${String(given.runs.length).padStart(5)} runs ${size.padStart(8)} ${milliseconds} ms\n`,
    );
  }
  return Promise.resolve(0);
}

await runScript(main);
