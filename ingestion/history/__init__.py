"""History: files and REST answers of the past into the lake, with what is missing in them named."""
