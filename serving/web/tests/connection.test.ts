import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Connection, type Update } from "../src/connection";
import { Wire } from "./wire";

let wires: Wire[];
let connection: Connection;

/** The line of the newest attempt to connect. */
function newest(): Wire {
  const wire = wires.at(-1);
  if (!wire) throw new Error("the page never connected");
  return wire;
}

beforeEach(() => {
  vi.useFakeTimers({ now: 10_000 });
  vi.spyOn(Math, "random").mockReturnValue(0.5); // a delay times 0.5 + 0.5
  wires = [];
  connection = new Connection(() => {
    const wire = new Wire();
    wires.push(wire);
    return wire;
  });
  connection.connect();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const ignore = () => {};

describe("a subscription", () => {
  test("made before the line is open is sent when it opens", () => {
    connection.subscribe("ohlcv.a", ignore);
    expect(newest().requests).toEqual([]);
    newest().accept();
    expect(newest().requests).toEqual([
      { jsonrpc: "2.0", method: "subscribe", params: { channels: ["ohlcv.a"] }, id: 1 },
    ]);
  });

  test("made on an open line is sent at once, and so is its end; every request has an id of its own", () => {
    newest().accept();
    connection.subscribe("ohlcv.a", ignore)();
    expect(newest().requests.map(({ method, id }) => [method, id])).toEqual([
      ["subscribe", 1],
      ["unsubscribe", 2],
    ]);
  });

  test("gets the updates of its channel and no others, and none after its end", () => {
    const updates: Update[] = [];
    newest().accept();
    const stop = connection.subscribe("ohlcv.a", (update) => updates.push(update));
    newest().update("ohlcv.a", 1);
    newest().update("ohlcv.b", 2);
    newest().say({ jsonrpc: "2.0", result: { channels: ["ohlcv.a"] }, id: 1 });
    stop();
    newest().update("ohlcv.a", 3);
    expect(updates.map(({ channel, sequence }) => [channel, sequence])).toEqual([["ohlcv.a", 1]]);
  });
});

describe("after the line is lost", () => {
  test("each channel resumes after the last update that it got, and a silent one starts over", () => {
    newest().accept();
    connection.subscribe("ohlcv.a", ignore);
    connection.subscribe("ohlcv.b", ignore);
    for (const sequence of [7, 9, 8]) newest().update("ohlcv.a", sequence);
    newest().drop();
    vi.advanceTimersByTime(500);
    newest().accept();
    expect(wires.length).toBe(2);
    expect(newest().requests.map(({ params }) => params)).toEqual([
      { channels: ["ohlcv.a"], resume_from: 9 },
      { channels: ["ohlcv.b"] },
    ]);
  });

  test("a channel that ended meanwhile stays ended", () => {
    newest().accept();
    const stop = connection.subscribe("ohlcv.a", ignore);
    newest().drop();
    stop();
    vi.advanceTimersByTime(500);
    newest().accept();
    expect(newest().requests).toEqual([]);
  });

  test("the page says so until it is live again", () => {
    const shown = [connection.status.value];
    newest().accept();
    shown.push(connection.status.value);
    newest().drop();
    shown.push(connection.status.value);
    vi.advanceTimersByTime(500);
    shown.push(connection.status.value);
    expect(shown).toEqual(["connecting", "live", "lost", "connecting"]);
  });

  test("it waits twice as long after each failure, never more than 15 seconds, and starts over once it was live", () => {
    const delays = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];
    for (const [attempt, delay] of delays.entries()) {
      newest().drop();
      vi.advanceTimersByTime(delay - 1);
      expect(wires.length).toBe(attempt + 1);
      vi.advanceTimersByTime(1);
      expect(wires.length).toBe(attempt + 2);
    }
    newest().accept();
    newest().drop();
    vi.advanceTimersByTime(500);
    expect(wires.length).toBe(delays.length + 2);
  });

  test.each([
    [0, 250],
    [0.999, 749.5],
  ])("pages do not come back together: the dice %s make it %s ms", (dice, delay) => {
    vi.mocked(Math.random).mockReturnValue(dice);
    newest().drop();
    vi.advanceTimersByTime(Math.floor(delay) - 1);
    expect(wires.length).toBe(1);
    vi.advanceTimersByTime(2);
    expect(wires.length).toBe(2);
  });
});

describe("latency", () => {
  test("is unknown before the first update that says when it was published", () => {
    newest().accept();
    connection.subscribe("ohlcv.a", ignore);
    newest().update("ohlcv.a", 1);
    expect(connection.latency.value).toBeNull();
  });

  test("is the age of the first update, then moves a tenth of the way", () => {
    newest().accept();
    connection.subscribe("ohlcv.a", ignore);
    newest().update("ohlcv.a", 1, { published_at: 9_980_000 });
    expect(connection.latency.value).toBe(20);
    newest().update("ohlcv.a", 2, { published_at: 9_880_000 });
    expect(connection.latency.value).toBe(30);
  });
});
