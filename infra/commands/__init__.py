"""The subcommands of `cap` that start and inspect the platform."""
