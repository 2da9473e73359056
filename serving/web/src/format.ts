/** Write a price with the digits its size deserves. */
export function price(value: number | string | null | undefined): string {
  const number = Number(value);
  if (value === null || value === undefined || !Number.isFinite(number)) return "–";
  const digits = Math.abs(number) >= 1000 ? 2 : Math.abs(number) >= 1 ? 4 : 6;
  return number.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits });
}

/** Write a ratio as a signed percentage. */
export function percent(ratio: number | null | undefined): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return "–";
  return `${ratio >= 0 ? "+" : "−"}${Math.abs(ratio * 100).toFixed(2)} %`;
}

/** Write a score in [−1, 1] with its sign. */
export const score = (value: number): string =>
  `${Object.is(value, -0) || value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;

/** Write a time as month, day, hour and minute in UTC. */
export const time = (microseconds: number): string =>
  new Date(microseconds / 1000).toISOString().slice(5, 16).replace("T", " ");

/** Decimals of a price axis, from a price as the exchange writes it. */
export const digits = (text: string): number => Math.max(2, text.split(".")[1]?.length ?? 0);
