"""Certificates of non-interference: what is known after a cut becomes noise; nothing before it may change."""
