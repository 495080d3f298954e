import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type { Counter, Gauge, Histogram } from 'prom-client';

export interface MetricDescription<L extends string> {
  /** Name by Prometheus' conventions: prefix, base unit, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  /** Label names. Their values are short closed lists: never the identity of a sweep, run, task or trainer. */
  readonly labels?: readonly L[];
}

/** Properties of a metric that alert rules and dashboards rely on. */
export interface MetricFacts {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly labels: readonly string[];
}

/**
 * The metrics of one process, in a registry of its own, so that several services in one process (tests) don't mix.
 * Gauges that are queried rather than counted are set by `beforeScrape` hooks.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #hooks: (() => Promise<void> | void)[] = [];
  #running: Promise<void> | null = null;

  /** Registers the metrics of the process and of Node: memory, processor time, event loop lag. */
  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  counter<L extends string = never>(description: MetricDescription<L>): Counter<L> {
    return new Counter({ ...this.#configuration(description) });
  }

  gauge<L extends string = never>(description: MetricDescription<L>): Gauge<L> {
    return new Gauge({ ...this.#configuration(description) });
  }

  /** @param buckets upper bounds, in the unit of the name. */
  histogram<L extends string = never>(description: MetricDescription<L>, buckets: readonly number[]): Histogram<L> {
    return new Histogram({ ...this.#configuration(description), buckets: [...buckets] });
  }

  /**
   * Registers a hook that runs before each scrape; concurrent scrapes share one call. It must not throw: a scrape
   * reports what is available.
   */
  beforeScrape(hook: () => Promise<void> | void): void {
    this.#hooks.push(hook);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Returns all metrics in Prometheus' text format. */
  async text(): Promise<string> {
    this.#running ??= this.#prepare().finally(() => (this.#running = null));
    await this.#running;
    return this.#registry.metrics();
  }

  /** Returns names, types and labels, for the tests of alert rules and dashboards. */
  facts(): readonly MetricFacts[] {
    return this.#registry.getMetricsAsArray().map((metric) => {
      const { labelNames = [] } = metric as unknown as { readonly labelNames?: readonly string[] };
      return { name: metric.name, type: typeOf(metric), labels: labelNames };
    });
  }

  async #prepare(): Promise<void> {
    await Promise.all(this.#hooks.map(async (hook) => hook()));
  }

  #configuration<L extends string>({ name, help, labels = [] }: MetricDescription<L>) {
    return { name, help, labelNames: labels, registers: [this.#registry] };
  }
}

function typeOf(metric: unknown): MetricFacts['type'] {
  if (metric instanceof Counter) return 'counter';
  if (metric instanceof Gauge) return 'gauge';
  return metric instanceof Histogram ? 'histogram' : 'summary';
}
