const SECONDS = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;
const DURATION = /^(?:(\d+(?:\.\d+)?)d)?\s*(?:(\d+(?:\.\d+)?)h)?\s*(?:(\d+(?:\.\d+)?)m)?\s*(?:(\d+(?:\.\d+)?)s)?$/;

/** Pattern of durations for the JSON Schema. */
export const DURATION_PATTERN = DURATION.source;

/** Returns the seconds of a duration such as `90m`, `2h` or `1h 30m`; null: the text is none. */
export function durationSeconds(text: string): number | null {
  const parts = text.trim() === '' ? null : DURATION.exec(text.trim());
  if (parts === null) return null;
  return Object.values(SECONDS).reduce((sum, seconds, index) => sum + seconds * Number(parts[index + 1] ?? 0), 0);
}
