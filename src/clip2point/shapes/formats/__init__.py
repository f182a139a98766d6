"""One module for each file format; each has ``read(data, companions) -> Parsed``."""
