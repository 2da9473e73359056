import type { Socket } from "../src/connection";

type Request = { method: string; params: { channels: string[]; resume_from?: number }; id: number };

/** The server's end of a browser's WebSocket: what the page sent, and levers for what happens to the line. */
export class Wire implements Socket {
  readyState = 0; // connecting, as browsers number it
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  readonly requests: Request[] = [];

  send(text: string): void {
    this.requests.push(JSON.parse(text));
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.call(this as unknown as WebSocket, new Event("open"));
  }

  say(message: object): void {
    const event = new MessageEvent("message", { data: JSON.stringify(message) });
    this.onmessage?.call(this as unknown as WebSocket, event);
  }

  update(channel: string, sequence: number, more: object = {}): void {
    this.say({ jsonrpc: "2.0", method: "update", params: { channel, kind: "closed", sequence, data: {}, ...more } });
  }

  drop(): void {
    this.readyState = 3;
    this.onclose?.call(this as unknown as WebSocket, new Event("close") as CloseEvent);
  }
}
