"""The subcommands of `cap` that assets own."""
