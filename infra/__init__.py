"""Plumbing without a market word in it: settings, clock, errors, logs, metrics, event log, embedded servers."""
