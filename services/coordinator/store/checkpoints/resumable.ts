/**
 * Returns SQL of whether training can resume from a row of `checkpoints`. A LAST checkpoint's state names the best epoch before it,
 * which is not saved again after a resumption. A LAST whose best was damaged is therefore skipped, so that the epoch is retrained.
 *
 * @param c alias of `checkpoints`
 */
export function isResumable(c: string): string {
  return `(${c}.kind = 'LAST' AND ${c}.state = 'STORED' AND NOT EXISTS (
    SELECT 1 FROM checkpoints lost
     WHERE lost.run_id = ${c}.run_id AND lost.stage = ${c}.stage AND lost.kind = 'BEST' AND lost.damage IS NOT NULL
       AND lost.epoch <= ${c}.epoch
       AND NOT EXISTS (
         SELECT 1 FROM checkpoints kept
          WHERE kept.run_id = ${c}.run_id AND kept.stage = ${c}.stage AND kept.kind = 'BEST' AND kept.state = 'STORED'
            AND kept.epoch BETWEEN lost.epoch AND ${c}.epoch)))`;
}
