"""Subcommands of `cap` that work on files."""
