"""A structured log line, as a person reads it on a terminal."""

import json

_SHOWN_OTHERWISE = ("event", "level", "timestamp", "service")


def readable(line: str) -> str:
    """Return a JSON log line as words; any other line as it is.

    >>> readable('{"event": "connected", "level": "info", "exchange": "okx", "timestamp": "…", "service": "ingest"}')
    'connected exchange=okx'
    >>> readable('{"event": "stalled", "level": "warning", "seconds": 5}')
    'warning: stalled seconds=5'
    >>> readable("{not JSON}"), readable('{"other": 1}'), readable("LOG:  started")
    ('{not JSON}', '{"other": 1}', 'LOG:  started')
    """
    if not line.startswith("{"):
        return line
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if "event" not in fields:
        return line
    level = fields.get("level", "info")
    words = [f"{fields['event']}" if level == "info" else f"{level}: {fields['event']}"]
    return " ".join(words + [f"{key}={value}" for key, value in fields.items() if key not in _SHOWN_OTHERWISE])
