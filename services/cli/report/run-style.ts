/** Equal widths, so that no run seems more important; equal curves stay visible because the later ones have gaps. */
export const STROKE = 1.8;
const PATTERNS = [undefined, '7 4', '2 3'];

/** Colour, width and pattern of the line of a run. */
interface RunStyle {
  readonly stroke: string;
  readonly strokeWidth: number;
  readonly strokeDasharray?: string;
}

/** Returns the colour of the run at a place among the best, from 0; a negative place is that of any other run. */
export function colourOf(place: number): string {
  return place < 0 ? 'currentColor' : `var(--run-${place + 1})`;
}

/** Returns the colour, width and pattern of one of the best runs, the same in all charts. */
export function runStyle(place: number): RunStyle {
  return { stroke: colourOf(place), strokeWidth: STROKE, ...dashOf(place) };
}

function dashOf(place: number): Pick<RunStyle, 'strokeDasharray'> {
  const dash = PATTERNS[place];
  return dash === undefined ? {} : { strokeDasharray: dash };
}
