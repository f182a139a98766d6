"""Core: errors, files, cache, locks, worker processes and strict configs; what every other room builds on."""
