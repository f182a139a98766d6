"""Adaptation: heads and towers that learn from labelled examples."""
