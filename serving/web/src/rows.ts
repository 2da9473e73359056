import type { Update } from "./connection";

type Row = { opened_at: number };
const LIMIT = 1000; // rows that are remembered of each series

/** Put a row where its time belongs: replace the same candle or append, never reorder. */
export function upsert<R extends Row>(rows: R[], row: R): R[] {
  const last = rows.at(-1);
  if (!last || row.opened_at > last.opened_at) return [...rows, row].slice(-LIMIT);
  const index = rows.findLastIndex((candidate) => candidate.opened_at <= row.opened_at);
  if (index < 0) return rows;
  if (rows[index]?.opened_at !== row.opened_at) return rows.toSpliced(index + 1, 0, row);
  return rows.with(index, row);
}

/** Apply a snapshot (many rows, and the forming one) or one update. */
export function follow<R extends Row>(target: { value: R[] }) {
  return (update: Update): void => {
    const rows = update.kind === "snapshot" ? (update.data as R[]) : [update.data as R];
    target.value = rows.reduce(upsert, target.value);
  };
}
