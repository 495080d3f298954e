import type { Interval } from '../../core/statistics/wilson-interval.ts';
import { countOf } from '../../core/text/count-of.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { formatDuration, formatInterval, formatMetric, formatPercent, formatTime } from '../terminal/format.ts';

/** Keeps figures on one line: `93.75 %` with a narrow no-break space, and other blanks as no-break spaces. */
function unbroken(text: string): string {
  return text.replaceAll(' %', '\u202f%').replaceAll(' ', '\u00a0');
}

/** Formats a fraction as `93.75 %`, on one line. */
export function percent(fraction: number | null | undefined): string {
  return unbroken(formatPercent(fraction));
}

/** Formats a level of confidence as `95 %`, on one line. */
export function wholePercent(fraction: number): string {
  return unbroken(`${Math.round(fraction * 100)} %`);
}

/** Formats a value and its interval as `0.9375 (0.8911 – 0.9650)`, on one line. */
export function valueInInterval(value: number, low: number, high: number): string {
  return unbroken(formatInterval(value, low, high));
}

/** Formats an interval as `0.8911 – 0.9650`, on one line. */
export function interval({ low, high }: Interval): string {
  return unbroken(`${formatMetric(low)} – ${formatMetric(high)}`);
}

/** Formats a duration as `4 min 05 s`, on one line. */
export function duration(milliseconds: number): string {
  return unbroken(formatDuration(milliseconds));
}

/** Renders date and time, on one line. */
export function time(moment: Date | null): Html {
  return html`<span class="whole">${formatTime(moment)}</span>`;
}

/** Formats a difference of fractions as `+1.50 %`, with a minus sign that no line ends with. */
export function signedPercent(fraction: number): string {
  return `${fraction < 0 ? '−' : '+'}${percent(Math.abs(fraction))}`;
}

/** Formats a number of things: `1 run`, `14 runs`, `3 classes`. */
export function count(number: number, noun: string): string {
  return unbroken(countOf(number, noun, plural(noun)));
}

export function plural(noun: string): string {
  return noun.endsWith('s') ? `${noun}es` : `${noun}s`;
}
