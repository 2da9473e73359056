"""The lake's writer: the event log into datasets, exactly once."""
