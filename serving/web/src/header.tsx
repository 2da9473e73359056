import { connection } from "./socket";
import { candles, problem } from "./state";

const STATUS = { live: ["good", "live"], connecting: ["", "connecting …"], lost: ["bad", "connection lost, retrying"] };
const QUALITY = { complete: "good", healed: "good", backfilled: "good", gap: "bad" };

/** Title and badges: connection, latency, data quality, and whether the data is simulated. */
export function Header() {
  const { latency, status } = connection;
  const last = candles.value[candles.value.length - 1];
  const closed = candles.value.findLast((candle) => !candle.forming);
  const [kind, text] = STATUS[status.value] as [string, string];
  return (
    <header>
      <h1>Crypto Analytics Platform</h1>
      {last?.simulated && (
        <span class="badge warn" title="Made by the simulator, not by an exchange">
          SIMULATED DATA
        </span>
      )}
      <span class="grow" />
      {problem.value && (
        <span class="badge bad" role="alert">
          {problem.value}
        </span>
      )}
      {closed && (
        <span
          class={`badge ${QUALITY[closed.quality]}`}
          title="What is known about the trades of the last closed candle"
        >
          data {closed.quality}
          {closed.revision > 0 ? ` · revision ${closed.revision}` : ""}
        </span>
      )}
      {latency.value !== null && (
        <span class="badge number" title="From the engine's output to this page">
          {Math.max(0, latency.value).toFixed(0)} ms
        </span>
      )}
      <span class={`badge ${kind}`} role="status">
        {text}
      </span>
    </header>
  );
}
