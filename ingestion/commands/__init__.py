"""Subcommands of `cap`: one file each, the function named like the command. They are leaves: nothing imports them."""
