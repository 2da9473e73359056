"""Around the fold: reading the log, checkpoints, publishing, Redis. What is here may block and crash."""
