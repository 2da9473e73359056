import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useRef } from "preact/hooks";
import { digits } from "./format";
import { type Line, PANES } from "./panes";
import { type Candle, type Indicators, type Signal, seconds } from "./types";

const at = (microseconds: number) => seconds(microseconds) as UTCTimestamp;
const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const bar = (candle: Candle) => ({
  time: at(candle.opened_at),
  open: +candle.open,
  high: +candle.high,
  low: +candle.low,
  close: +candle.close,
});
const volume = (candle: Candle) => ({
  time: at(candle.opened_at),
  value: +candle.volume,
  color: `${colour(+candle.close >= +candle.open ? "--up" : "--down")}55`,
});
const marker = (signal: Signal): SeriesMarker<Time> => ({
  time: at(signal.opened_at),
  position: signal.score > 0 ? "belowBar" : "aboveBar",
  shape: signal.score > 0 ? "arrowUp" : "arrowDown",
  color: colour(signal.score > 0 ? "--up" : "--down"),
  text: signal.score.toFixed(2),
});

type Drawing = {
  chart: IChartApi;
  candles: ISeriesApi<"Candlestick">;
  volumes: ISeriesApi<"Histogram">;
  lines: Map<string, ISeriesApi<"Line"> | ISeriesApi<"Histogram">>;
  markers: ISeriesMarkersPluginApi<Time>;
  drawn: { first: number; candle: number; indicatorsFirst: number; indicators: number };
};

type Props = { candles: Candle[]; indicators: Indicators[]; signals: Signal[]; panes: string[]; name: string };

/** Candles with volume, overlays and indicator panes; follows its data by updating only what is new. */
export function Chart({ candles, indicators, signals, panes, name }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing | null>(null);

  useEffect(() => {
    if (!host.current) return;
    const fresh = draw(host.current, panes, candles[0]?.close ?? "0.00");
    drawing.current = fresh;
    return () => {
      drawing.current = null;
      fresh.chart.remove();
    };
  }, [name, panes.join(), candles.length > 0]);

  useEffect(() => drawCandles(drawing.current, candles), [candles, name, panes.join()]);
  useEffect(() => drawIndicators(drawing.current, indicators), [indicators, name, panes.join()]);
  useEffect(() => {
    drawing.current?.markers.setMarkers(signals.filter((s) => Math.abs(s.score) >= 0.35).map(marker));
  }, [signals, name, panes.join()]);

  return <div class="canvas" ref={host} role="img" aria-label={`Candle chart of ${name}`} />;
}

function draw(host: HTMLDivElement, panes: string[], example: string): Drawing {
  const chart = createChart(host, {
    autoSize: true,
    layout: {
      background: { color: "transparent" },
      textColor: colour("--dim"),
      attributionLogo: true,
      panes: { separatorColor: colour("--line") },
    },
    grid: { vertLines: { color: `${colour("--line")}66` }, horzLines: { color: `${colour("--line")}66` } },
    timeScale: { timeVisible: true, borderColor: colour("--line"), rightOffset: 4 },
    rightPriceScale: { borderColor: colour("--line") },
  });
  const precision = digits(example);
  const priceFormat = { type: "price" as const, precision, minMove: 10 ** -precision };
  const candles = chart.addSeries(CandlestickSeries, {
    upColor: colour("--up"),
    downColor: colour("--down"),
    wickUpColor: colour("--up"),
    wickDownColor: colour("--down"),
    borderVisible: false,
    priceFormat,
  });
  const volumes = chart.addSeries(HistogramSeries, {
    priceScaleId: "volume",
    priceFormat: { type: "volume" },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  const lines: Drawing["lines"] = new Map();
  let pane = 0;
  for (const name of panes) {
    const { own, lines: columns } = PANES[name] ?? { own: false, lines: [] };
    if (own) pane += 1;
    for (const line of columns) lines.set(line.column, addLine(chart, line, own ? pane : 0));
  }
  for (const [n, own] of chart.panes().entries()) own.setStretchFactor(n === 0 ? 4 : 1);
  return {
    chart,
    candles,
    volumes,
    lines,
    markers: createSeriesMarkers(candles, []),
    drawn: { first: 0, candle: 0, indicatorsFirst: 0, indicators: 0 },
  };
}

function addLine(chart: IChartApi, line: Line, pane: number) {
  const look = { lastValueVisible: pane > 0, priceLineVisible: false, title: "" };
  return line.histogram
    ? chart.addSeries(HistogramSeries, { ...look, color: `${line.color}88` }, pane)
    : chart.addSeries(LineSeries, { ...look, color: line.color, lineWidth: 1, crosshairMarkerVisible: false }, pane);
}

function drawCandles(drawing: Drawing | null, candles: Candle[]) {
  const [first, last] = [candles[0], candles.at(-1)];
  if (!drawing || !first || !last) return;
  if (drawing.drawn.first !== first.opened_at || candles.some((c) => c.revision > 0)) {
    drawing.candles.setData(candles.map(bar));
    drawing.volumes.setData(candles.map(volume));
  } else {
    for (const candle of candles.filter((c) => c.opened_at >= drawing.drawn.candle)) {
      drawing.candles.update(bar(candle));
      drawing.volumes.update(volume(candle));
    }
  }
  drawing.drawn.first = first.opened_at;
  drawing.drawn.candle = last.opened_at;
}

function drawIndicators(drawing: Drawing | null, rows: Indicators[]) {
  const [first, last] = [rows[0], rows.at(-1)];
  if (!drawing || !first || !last) return;
  const follows = drawing.drawn.indicatorsFirst === first.opened_at;
  const fresh = follows ? rows.filter((r) => r.opened_at >= drawing.drawn.indicators) : rows;
  for (const [column, series] of drawing.lines) {
    const points = fresh.map((row) => {
      const value = row.values[column];
      return value === null || value === undefined ? { time: at(row.opened_at) } : { time: at(row.opened_at), value };
    });
    if (follows) for (const point of points) series.update(point);
    else series.setData(points);
  }
  drawing.drawn.indicatorsFirst = first.opened_at;
  drawing.drawn.indicators = last.opened_at;
}
