"""Connections to exchanges: subscribing, keeping alive, noticing what is missing and healing it. Knows no exchange."""
