import { PARAMETER_DEFINITIONS } from '../../../core/search-space/parameter-definitions.ts';

/** Names of the integer parameters, as a JSON array. */
export const INTEGER_NAMES = JSON.stringify(
  PARAMETER_DEFINITIONS.filter(({ type }) => type === 'int').map(({ name }) => name),
);

/**
 * SQL that inserts runs, and their parameters for SQL views: one row each, typed by their definitions, with the defaults that
 * `runs.parameters` omits. A view of a varied parameter would lack the runs at its default without them. $1 is the sweep, $2 a JSON array
 * of rows, $3 `INTEGER_NAMES`.
 */
export const INSERT_RUNS = `
    WITH sampled AS (
      SELECT * FROM jsonb_to_recordset($2::jsonb)
           AS r (run_id text, run_index int, digest text, parameters jsonb, omitted jsonb)
    ), inserted AS (
      INSERT INTO runs (run_id, sweep_id, run_index, parameters_digest, parameters, state, stage)
      SELECT r.run_id, $1, r.run_index, r.digest, r.parameters, 'QUEUED', 'INDEX' FROM sampled r
    )
    INSERT INTO run_parameters (run_id, name, int_value, number_value, bool_value, string_value)
    SELECT r.run_id, p.name,
           CASE WHEN p.type = 'number' AND p.is_integer THEN p.text::bigint END,
           CASE WHEN p.type = 'number' AND NOT p.is_integer THEN p.text::float8 END,
           CASE WHEN p.type = 'boolean' THEN p.text::boolean END,
           CASE WHEN p.type = 'string' THEN p.text END
      FROM sampled r
     CROSS JOIN LATERAL (
       SELECT e.key AS name, e.value #>> '{}' AS text, jsonb_typeof(e.value) AS type,
              $3::jsonb ? e.key AS is_integer
         FROM jsonb_each(r.parameters || r.omitted) e
     ) p`;
