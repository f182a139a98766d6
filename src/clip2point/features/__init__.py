"""Features: view features of data sets under one model, computed once and then read from the cache."""
