import { signal } from "@preact/signals";

// One JSON-RPC 2.0 connection for the whole page; subscriptions outlive it and resume where they were.
export type Update = {
  channel: string;
  kind: "snapshot" | "forming" | "closed" | "revised";
  sequence: number;
  published_at?: number;
  data: unknown;
};
type Handler = (update: Update) => void;
type Subscription = { handler: Handler; sequence: number };

export const status = signal<"connecting" | "live" | "lost">("connecting");
export const latency = signal<number | null>(null); // milliseconds between publishing and arrival, smoothed

const subscriptions = new Map<string, Subscription>();
let socket: WebSocket | null = null;
let lastId = 0;
let delay = 500;

/** Follow a channel until the returned function is called. */
export function subscribe(channel: string, handler: Handler): () => void {
  subscriptions.set(channel, { handler, sequence: 0 });
  if (socket?.readyState === WebSocket.OPEN) request("subscribe", { channels: [channel] });
  return () => {
    subscriptions.delete(channel);
    if (socket?.readyState === WebSocket.OPEN) request("unsubscribe", { channels: [channel] });
  };
}

export function connect(): void {
  status.value = "connecting";
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/market-data`);
  socket.onopen = () => {
    status.value = "live";
    delay = 500;
    for (const [channel, { sequence }] of subscriptions) {
      request("subscribe", sequence ? { channels: [channel], resume_from: sequence } : { channels: [channel] });
    }
  };
  socket.onmessage = (event) => receive(JSON.parse(event.data as string));
  socket.onclose = () => {
    status.value = "lost";
    setTimeout(connect, delay * (0.5 + Math.random()));
    delay = Math.min(delay * 2, 15_000);
  };
}

function request(method: string, params: object): void {
  lastId += 1;
  socket?.send(JSON.stringify({ jsonrpc: "2.0", method, params, id: lastId }));
}

type Incoming = { method?: string; params?: Update; id?: number };

function receive(message: Incoming): void {
  if (!message.params) return;
  const update = message.params;
  const subscription = subscriptions.get(update.channel);
  if (!subscription) return;
  subscription.sequence = Math.max(subscription.sequence, update.sequence);
  if (update.published_at) {
    const age = Date.now() - update.published_at / 1000;
    latency.value = latency.value === null ? age : latency.value * 0.9 + age * 0.1;
  }
  subscription.handler(update);
}
