"""Alerts: a condition on a price, an indicator or a signal, and the way of what it tells to its user."""
