"""The outside world, normalised, into the event log: exchanges, connections, raw tape, simulator."""
