"""Backtests: shared strategies over history, with costs, and with statistics that say how much to believe."""
