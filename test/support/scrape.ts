/** The metrics of a service at `/metrics`. */
export interface Scrape {
  /** Returns the sample with exactly these labels; undefined if absent. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** All labels in use, with their values. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

export async function scrape(port: number): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
  return parseMetrics(await response.text());
}

/** Parses the part of Prometheus' text format that prom-client writes. */
function parseMetrics(text: string): Scrape {
  const samples = new Map<string, number>();
  const labels = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match === null) continue;
    const [, name = '', body = '', value = ''] = match;
    const pairs = [...body.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, key = '', text = '']) => [key, text] as const,
    );
    for (const [key, labelValue] of pairs) labels.set(key, (labels.get(key) ?? new Set()).add(labelValue));
    samples.set(keyOf(name, pairs), Number(value));
  }
  return { labels, value: (name, wanted = {}) => samples.get(keyOf(name, Object.entries(wanted))) };
}

function keyOf(name: string, labels: readonly (readonly [string, string])[]): string {
  const sorted = labels.map(([key, value]) => `${key}=${JSON.stringify(value)}`).sort();
  return `${name}{${sorted.join(',')}}`;
}
