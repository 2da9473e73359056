import { describe, expect, test } from "vitest";
import { digits, percent, price, score, time } from "../src/format";
import { seconds } from "../src/types";

describe("a price", () => {
  test.each([
    ["64123.456", "64,123.46"],
    ["1000", "1,000.00"],
    ["999.98765", "999.9877"],
    ["1", "1.00"],
    ["0.12345678", "0.123457"],
    [-1234.5, "-1,234.50"],
    [0, "0.00"],
  ])("%s is written as %s, with the digits that its size deserves", (value, text) => {
    expect(price(value)).toBe(text);
  });

  test.each([null, undefined, "n/a", Number.NaN, Number.POSITIVE_INFINITY])("%s is a dash", (value) => {
    expect(price(value)).toBe("–");
  });
});

test.each([
  [0.0123, "+1.23 %"],
  [-0.5, "−50.00 %"],
  [0, "+0.00 %"],
  [null, "–"],
  [undefined, "–"],
  [Number.NaN, "–"],
])("the ratio %s is the percentage %s", (ratio, text) => {
  expect(percent(ratio)).toBe(text);
});

test.each([
  [0.4567, "+0.46"],
  [-1, "−1.00"],
  [0, "+0.00"],
  [-0, "+0.00"],
])("the score %s is written with its sign: %s", (value, text) => {
  expect(score(value)).toBe(text);
});

test("a time is written in UTC, whatever the zone of the reader", () => {
  expect(time(Date.UTC(2023, 1, 12, 23, 59, 59) * 1000)).toBe("02-12 23:59");
});

test.each([
  ["64123.4", 2],
  ["0.00001234", 8],
  ["100", 2],
  ["1.2345", 4],
])("an axis of prices like %s has %i decimals", (text, count) => {
  expect(digits(text)).toBe(count);
});

test("the chart's seconds are whole ones, rounded down", () => {
  expect(seconds(1_676_246_399_999_999)).toBe(1_676_246_399);
});
