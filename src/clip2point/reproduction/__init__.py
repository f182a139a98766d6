"""Results of the paper: recipes for them, what a recipe needs, and what came out of it beside what the paper states."""
