"""Users and what they may: identity, sessions, policy, plans, personal signals. Everything is kept in PostgreSQL.

Without PostgreSQL the public part of the API goes on; what is in here then answers 503.
"""
