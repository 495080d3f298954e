/**
 * SQL that inserts how the runs of a round came into their sweep. $1 is the sweep, $2 the round, $3 its decision (null: round 0), $4 a JSON
 * array of rows.
 */
export const INSERT_SUGGESTIONS = `
    INSERT INTO suggestions (sweep_id, round, position, run_id, sampler, decision_id, detail)
    SELECT $1, $2::int, u.position, u.run_id, u.sampler, $3::bigint, u.detail
      FROM jsonb_to_recordset($4::jsonb) AS u (run_id text, position int, sampler text, detail jsonb)`;
