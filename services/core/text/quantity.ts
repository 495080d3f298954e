const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const BINARY_FACTORS: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Patterns of quantities for the JSON Schema. */
export const BYTES_PATTERN = '^\\d+(\\.\\d+)?\\s*[kKmMgGtT]?i?[bB]$';
export const COUNT_PATTERN = '^\\d+(\\.\\d+)?\\s*[kKmMgGtT]$';

/** Returns the bytes of a size such as `20MB` (decimal, as disks and downloads have it) or `20MiB`; null: the text is none. */
export function bytesOf(text: string): number | null {
  const [, amount, prefix = '', isBinary] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b$/i.exec(text.trim()) ?? [];
  if (amount === undefined || (isBinary !== '' && prefix === '')) return null;
  const factors = isBinary === '' ? FACTORS : BINARY_FACTORS;
  return Math.round(Number(amount) * (factors[prefix.toLowerCase()] ?? 1));
}

/** Returns the number that `4M`, `300k` or `1.2G` stands for; null: the text is none. */
export function countOfText(text: string): number | null {
  const [, amount, prefix = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt])$/i.exec(text.trim()) ?? [];
  return amount === undefined ? null : Math.round(Number(amount) * (FACTORS[prefix.toLowerCase()] ?? 1));
}

/** Formats an integer with thousands separated: `14,714,688`. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
