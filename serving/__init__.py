"""REST, WebSocket and the web page, read from Redis."""
