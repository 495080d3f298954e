import stringWidth from 'string-width';

/** Pads a string with blanks to `width` columns of the terminal; a wider one stays as it is. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - stringWidth(text)));
  return align === 'right' ? blanks + text : text + blanks;
}
