"""Reproduction of the paper's results: recipes, what they need, and measured figures beside quoted ones."""
