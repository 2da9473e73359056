import { render } from "preact";
import { Chart } from "./chart";
import { price } from "./format";
import { Header } from "./header";
import { Side } from "./side";
import { connection } from "./socket";
import { candles, indicators, panes, refreshSymbols, series, signals } from "./state";
import { Symbols } from "./symbols";
import { Tools } from "./tools";
import "./style.css";

function Legend() {
  const last = candles.value[candles.value.length - 1];
  if (!last) return <div class="legend">Waiting for candles of {series.value} …</div>;
  const direction = +last.close >= +last.open ? "up" : "down";
  return (
    <div class={`legend number ${direction}`} aria-live="off">
      {(["open", "high", "low", "close"] as const).map((name) => (
        <span key={name}>
          {name} {price(last[name])}
        </span>
      ))}
      <span>volume {last.volume}</span>
      <span>{last.trade_count} trades</span>
    </div>
  );
}

function App() {
  return (
    <div class="app">
      <Header />
      <Symbols />
      <main class="main">
        <Tools />
        <Legend />
        <Chart
          candles={candles.value}
          indicators={indicators.value}
          signals={signals.value}
          panes={panes.value}
          name={series.value}
        />
      </main>
      <Side />
    </div>
  );
}

connection.connect();
refreshSymbols();
setInterval(refreshSymbols, 3000);
const root = document.getElementById("app");
if (!root) throw new Error("index.html has no element #app");
render(<App />, root);
