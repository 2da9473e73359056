import { describe, expect, test } from "vitest";
import type { Update } from "../src/connection";
import { follow, upsert } from "../src/rows";

type Row = { opened_at: number; close?: string };
const times = (rows: Row[]) => rows.map((row) => row.opened_at);
const rows: Row[] = [{ opened_at: 60 }, { opened_at: 120 }, { opened_at: 240 }];

describe("a row that comes in", () => {
  test("goes to the end when it is the newest", () => {
    expect(times(upsert(rows, { opened_at: 300 }))).toEqual([60, 120, 240, 300]);
  });

  test("replaces the row of its time, the last one", () => {
    expect(upsert(rows, { opened_at: 240, close: "7" }).at(-1)).toEqual({ opened_at: 240, close: "7" });
  });

  test("replaces the row of its time, an old one that was revised", () => {
    expect(upsert(rows, { opened_at: 60, close: "7" })).toEqual([{ opened_at: 60, close: "7" }, ...rows.slice(1)]);
  });

  test("fills the hole that it was missing from", () => {
    expect(times(upsert(rows, { opened_at: 180 }))).toEqual([60, 120, 180, 240]);
  });

  test("is left out when it is older than all that is shown", () => {
    expect(upsert(rows, { opened_at: 0 })).toBe(rows);
  });

  test("never changes the list that is drawn at the moment", () => {
    upsert(rows, { opened_at: 180 });
    expect(times(rows)).toEqual([60, 120, 240]);
  });

  test("pushes the oldest out of a thousand", () => {
    const full = Array.from({ length: 1000 }, (_, n) => ({ opened_at: n }));
    const after = upsert(full, { opened_at: 1000 });
    expect([after.length, after[0]?.opened_at, after.at(-1)?.opened_at]).toEqual([1000, 1, 1000]);
  });
});

describe("an update", () => {
  const update = (kind: Update["kind"], data: unknown): Update => ({ channel: "ohlcv", kind, sequence: 1, data });

  test("of the forming candle takes the place of the one before it", () => {
    const target = { value: [{ opened_at: 60, close: "1" }] };
    follow(target)(update("forming", { opened_at: 120, close: "2" }));
    follow(target)(update("forming", { opened_at: 120, close: "3" }));
    follow(target)(update("closed", { opened_at: 120, close: "4" }));
    expect(target.value).toEqual([
      { opened_at: 60, close: "1" },
      { opened_at: 120, close: "4" },
    ]);
  });

  test("with a snapshot brings many rows and keeps what it does not hold", () => {
    const target = { value: [{ opened_at: 60 }] };
    follow(target)(update("snapshot", [{ opened_at: 120 }, { opened_at: 180 }]));
    expect(times(target.value)).toEqual([60, 120, 180]);
  });
});
