import { Connection } from "./connection";

// The page's one connection.
const scheme = () => (location.protocol === "https:" ? "wss" : "ws");

export const connection = new Connection(() => new WebSocket(`${scheme()}://${location.host}/ws/market-data`));
