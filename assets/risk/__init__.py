"""Risk: how much may be lost in a day, how often that was wrong, and what the worst days of the past would cost."""
