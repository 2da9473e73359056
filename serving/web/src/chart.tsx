import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  type Time,
} from "lightweight-charts";
import { useEffect, useRef } from "preact/hooks";
import { bar, type Extent, extent, markers, missing, point, volume } from "./drawing";
import { digits } from "./format";
import { type Line, place } from "./panes";
import type { Candle, Indicators, Signal } from "./types";

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colours = () => ({ up: colour("--up"), down: colour("--down") });

type Drawing = {
  chart: IChartApi;
  candles: ISeriesApi<"Candlestick">;
  volumes: ISeriesApi<"Histogram">;
  lines: Map<string, ISeriesApi<"Line"> | ISeriesApi<"Histogram">>;
  markers: ISeriesMarkersPluginApi<Time>;
  drawn: { candles: Extent; indicators: Extent };
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
    drawing.current?.markers.setMarkers(markers(signals, colours()));
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
  for (const { line, pane } of place(panes)) lines.set(line.column, addLine(chart, line, pane));
  for (const [n, own] of chart.panes().entries()) own.setStretchFactor(n === 0 ? 4 : 1);
  return {
    chart,
    candles,
    volumes,
    lines,
    markers: createSeriesMarkers(candles, []),
    drawn: { candles: extent([]), indicators: extent([]) },
  };
}

function addLine(chart: IChartApi, line: Line, pane: number) {
  const look = { lastValueVisible: pane > 0, priceLineVisible: false, title: "" };
  return line.histogram
    ? chart.addSeries(HistogramSeries, { ...look, color: `${line.color}88` }, pane)
    : chart.addSeries(LineSeries, { ...look, color: line.color, lineWidth: 1, crosshairMarkerVisible: false }, pane);
}

function drawCandles(drawing: Drawing | null, candles: Candle[]) {
  if (!drawing || candles.length === 0) return;
  const revised = candles.some((candle) => candle.revision > 0);
  const fresh = revised ? null : missing(candles, drawing.drawn.candles);
  const look = colours();
  if (fresh) {
    for (const candle of fresh) {
      drawing.candles.update(bar(candle));
      drawing.volumes.update(volume(candle, look));
    }
  } else {
    drawing.candles.setData(candles.map(bar));
    drawing.volumes.setData(candles.map((candle) => volume(candle, look)));
  }
  drawing.drawn.candles = extent(candles);
}

function drawIndicators(drawing: Drawing | null, rows: Indicators[]) {
  if (!drawing || rows.length === 0) return;
  const fresh = missing(rows, drawing.drawn.indicators);
  for (const [column, series] of drawing.lines) {
    if (fresh) for (const row of fresh) series.update(point(row, column));
    else series.setData(rows.map((row) => point(row, column)));
  }
  drawing.drawn.indicators = extent(rows);
}
