import { expect, test } from "vitest";
import { PANES, place, toggle } from "../src/panes";

const placed = (names: string[]) => place(names).map(({ line, pane }) => [line.column, pane]);

test("overlays lie over the candles and every other entry gets the next pane", () => {
  expect(placed(["rsi", "vwap", "macd"])).toEqual([
    ["rsi_14", 1],
    ["vwap", 0],
    ["macd_12_26_9_histogram", 2],
    ["macd_12_26_9", 2],
    ["macd_12_26_9_signal", 2],
  ]);
});

test("an entry that an old address names and that is gone takes no pane", () => {
  expect(placed(["volume_profile", "rsi"])).toEqual([["rsi_14", 1]]);
});

test("no column is drawn twice, as a line is found by its column", () => {
  const columns = place(Object.keys(PANES)).map(({ line }) => line.column);
  expect(new Set(columns).size).toBe(columns.length);
});

test("a toggle adds at the end and takes away in place", () => {
  expect(toggle(["ema", "rsi"], "adx")).toEqual(["ema", "rsi", "adx"]);
  expect(toggle(["ema", "rsi", "adx"], "rsi")).toEqual(["ema", "adx"]);
});
