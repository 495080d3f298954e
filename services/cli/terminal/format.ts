import { escapeControls } from '../../core/text/control-characters.ts';
import type { ParameterValue } from '../../core/sweep/sweep-spec.ts';

const NOTHING = '–';

/** Absolute values from which, and below which, a metric has an exponent: four decimals would be 0.0000 or thirty digits long. */
const LARGE_METRIC = 1e5;
const SMALL_METRIC = 5e-4;

/** Formats a loss or accuracy with four decimals, or as `1.23e8` and `1.23e-5`; `–` if there is none. */
export function formatMetric(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= LARGE_METRIC || (size > 0 && size < SMALL_METRIC)) return withExponent(value.toExponential(2));
  return value.toFixed(4);
}

/** Returns `1.2e8` for JavaScript's `1.20e+8`, as in Python's literals and YAML, without leading zeros of the exponent. */
function withExponent(text: string): string {
  return text
    .replace(/(\.\d*?)0+e/, '$1e')
    .replace('.e', 'e')
    .replace('e+', 'e');
}

/** Formats a fraction as `93.75 %`. */
export function formatPercent(fraction: number | null | undefined): string {
  return fraction === null || fraction === undefined ? NOTHING : `${(fraction * 100).toFixed(2)} %`;
}

/** Formats a value and its interval as `0.9375 (0.8911 – 0.9650)`. */
export function formatInterval(value: number, low: number, high: number): string {
  return `${formatMetric(value)} (${formatMetric(low)} – ${formatMetric(high)})`;
}

/** Formats a parameter: small numbers as `1e-5`, integers without decimals, others with four significant digits. */
export function formatValue(value: ParameterValue | undefined): string {
  if (value === undefined) return NOTHING;
  return typeof value === 'number' ? formatNumber(value, 4) : escapeControls(String(value));
}

/** Formats a number as `formatValue` does, with another number of significant digits. */
export function formatNumber(value: number, digits: number): string {
  if (Number.isInteger(value)) return withExponent(String(value));
  const short = Number(value.toPrecision(digits));
  return withExponent(Math.abs(short) < 1e-3 ? short.toExponential() : String(short));
}

/** Formats a duration as `850 ms`, `12.3 s`, `4 min 05 s` or `2 h 07 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Formats a size as `17.3 MB`, in decimal units as disks and downloads use them. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let amount = bytes;
  let unit = -1;
  while (amount >= 1_000 && unit < units.length - 1) {
    amount /= 1_000;
    unit += 1;
  }
  return `${amount.toFixed(1)} ${units[unit] ?? ''}`;
}

/** Formats a large number with three significant digits: `4.05 M`, `389 M`, `30.7 G`. */
export function formatCount(count: number): string {
  const units = ['', ' k', ' M', ' G', ' T'];
  let amount = count;
  let unit = 0;
  while (Math.abs(Number(amount.toPrecision(3))) >= 1_000 && unit < units.length - 1) {
    amount /= 1_000;
    unit += 1;
  }
  return `${unit === 0 ? String(count) : amount.toPrecision(3)}${units[unit] ?? ''}`;
}

/** Formats local date and time to the second; `–` if there is none. */
export function formatTime(time: Date | null): string {
  if (time === null) return NOTHING;
  const pad = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
  return `${day} ${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
}

/** Formats the named parameters as `head.units=64 head.dropout=0.5`. */
export function formatParameters(
  parameters: Readonly<Record<string, ParameterValue>>,
  names: readonly string[],
): string {
  return names
    .filter((name) => Object.hasOwn(parameters, name))
    .map((name) => `${name}=${formatValue(parameters[name])}`)
    .join(' ');
}

/** Formats indexes as `0–3, 7`. */
export function formatIndexes(indexes: readonly number[]): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    parts.push(start === end ? String(sorted[start]) : `${sorted[start]}–${sorted[end]}`);
    start = end + 1;
  }
  return parts.join(', ');
}

/** Formats an expected duration coarsely: `under a minute`, `about 5 min`, `about 2 h 10 min`. */
export function formatRoughly(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return 'under a minute';
  if (minutes < 60) return `about ${minutes} min`;
  const tens = Math.round(minutes / 10) * 10;
  const rest = tens % 60 === 0 ? '' : ` ${tens % 60} min`;
  return `about ${Math.floor(tens / 60)} h${rest}`;
}
