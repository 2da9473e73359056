// What the API sends. Amounts are decimal strings, times are microseconds since the epoch.
export type Candle = {
  opened_at: number;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  trade_count: number;
  quality: "complete" | "gap" | "healed" | "backfilled";
  revision: number;
  forming: boolean;
  simulated: boolean;
};

export type Values = Record<string, number | null>;

export type Indicators = { opened_at: number; values: Values; forming?: boolean };

export type Signal = {
  opened_at: number;
  known_at: number;
  exchange: string;
  symbol: string;
  timeframe: string;
  score: number;
  confidence: number;
  calibrated: boolean;
  reasons: string[];
  rules: Record<string, number | null>;
};

export const TIMEFRAMES = ["1m", "5m", "15m", "1h", "4h", "1d"] as const;
export type Timeframe = (typeof TIMEFRAMES)[number];

export const seconds = (microseconds: number): number => Math.floor(microseconds / 1_000_000);
