import { signal } from "@preact/signals";

export type Update = {
  channel: string;
  kind: "snapshot" | "forming" | "closed" | "revised";
  sequence: number;
  published_at?: number;
  data: unknown;
};
type Handler = (update: Update) => void;
type Subscription = { handler: Handler; sequence: number };
type Incoming = { method?: string; params?: Update; id?: number };

/** What is used of the browser's WebSocket. */
export type Socket = Pick<WebSocket, "readyState" | "send" | "onopen" | "onmessage" | "onclose">;

const OPEN = 1;
const SHORTEST_DELAY = 500; // milliseconds before the first attempt to reconnect; doubled after each that fails
const LONGEST_DELAY = 15_000;

/** One JSON-RPC 2.0 connection; subscriptions outlive it and resume where they were. */
export class Connection {
  readonly status = signal<"connecting" | "live" | "lost">("connecting");
  readonly latency = signal<number | null>(null); // milliseconds between publishing and arrival, smoothed
  private readonly subscriptions = new Map<string, Subscription>();
  private socket: Socket | null = null;
  private lastId = 0;
  private delay = SHORTEST_DELAY;

  constructor(private readonly open: () => Socket) {}

  /** Follow a channel until the returned function is called. */
  subscribe(channel: string, handler: Handler): () => void {
    this.subscriptions.set(channel, { handler, sequence: 0 });
    if (this.socket?.readyState === OPEN) this.request("subscribe", { channels: [channel] });
    return () => {
      this.subscriptions.delete(channel);
      if (this.socket?.readyState === OPEN) this.request("unsubscribe", { channels: [channel] });
    };
  }

  /** Open the socket, and again whenever it closes: later from time to time, and no two pages at the same moment. */
  connect(): void {
    this.status.value = "connecting";
    this.socket = this.open();
    this.socket.onopen = () => this.resume();
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data as string));
    this.socket.onclose = () => {
      this.status.value = "lost";
      setTimeout(() => this.connect(), this.delay * (0.5 + Math.random()));
      this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
    };
  }

  private resume(): void {
    this.status.value = "live";
    this.delay = SHORTEST_DELAY;
    for (const [channel, { sequence }] of this.subscriptions) {
      this.request("subscribe", sequence ? { channels: [channel], resume_from: sequence } : { channels: [channel] });
    }
  }

  private request(method: string, params: object): void {
    this.lastId += 1;
    this.socket?.send(JSON.stringify({ jsonrpc: "2.0", method, params, id: this.lastId }));
  }

  private receive(message: Incoming): void {
    if (!message.params) return;
    const update = message.params;
    const subscription = this.subscriptions.get(update.channel);
    if (!subscription) return;
    subscription.sequence = Math.max(subscription.sequence, update.sequence);
    if (update.published_at) {
      const age = Date.now() - update.published_at / 1000;
      this.latency.value = this.latency.value === null ? age : this.latency.value * 0.9 + age * 0.1;
    }
    subscription.handler(update);
  }
}
