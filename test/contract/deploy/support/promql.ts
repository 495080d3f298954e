import { parser } from '@prometheus-io/lezer-promql';

/** Series and labels that a PromQL expression reads. */
export interface Reading {
  /** Names of the selected series. */
  readonly metrics: readonly string[];
  /** Labels in matchers and groupings. */
  readonly labels: readonly string[];
}

/**
 * Parses an expression with Prometheus' own grammar.
 *
 * @throws {Error} with the position when it is not valid PromQL.
 */
export function readPromql(expression: string): Reading {
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(expression).iterate({
    enter: ({ type, from, to, node }) => {
      const text = expression.slice(from, to);
      if (type.isError) throw new Error(`No PromQL at character ${from}: ${expression}`);
      if (type.name === 'LabelName') labels.push(text);
      if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.push(text);
    },
  });
  return { metrics, labels };
}
