"""One step is a module here and its SQL beside it: `0001_identity.py`, `0001_identity.up.sql`, `…down.sql`."""
