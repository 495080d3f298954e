import { BATCH, HEADS_CASES, HeadsBench } from '../heads/measure.ts';
import type { BenchContext } from './context.ts';
import type { Row } from './row.ts';

const ROUNDS = 3;

/** Measures milliseconds per training step on cached features: 16 heads together, and one. */
export async function headSteps({ python, say }: BenchContext): Promise<readonly Row[]> {
  const rows: Row[] = [];
  using bench = await HeadsBench.start(python);
  for (const heads of HEADS_CASES) {
    say(heads.title);
    const { keras, graft } = await bench.measure(heads, ROUNDS);
    rows.push({
      work: heads.title,
      peer: heads.heads === 1 ? 'Keras' : 'Keras, one by one',
      peerFigure: `${keras.toFixed(2)} ms`,
      graftFigure: `${graft.toFixed(2)} ms`,
      ratio: keras / graft,
      target: `≥ ${heads.target}×`,
      isMet: keras / graft >= heads.target,
      accuracies: '',
      notes: [],
    });
  }
  const [first, ...others] = rows;
  if (first === undefined) return rows;
  const note = `All rows of heads: milliseconds of a step at batch ${BATCH}, ${bench.peer}, median of ${ROUNDS} × 2 turns.`;
  return [{ ...first, notes: [note] }, ...others];
}
