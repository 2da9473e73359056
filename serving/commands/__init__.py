"""The subcommands of `cap` that serving owns."""
