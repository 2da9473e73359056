"""The simulation: plain arrays in, equity at every bar and trades out. It knows orders, not strategies."""
