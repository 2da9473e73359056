"""The `cap` subcommands over files: one per file."""
