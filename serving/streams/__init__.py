"""WebSocket: channels of the engine, fanned out to subscribers over JSON-RPC 2.0."""
