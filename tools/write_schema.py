"""Write the JSON schema of recipes, ``recipes/schema.json``, after their settings have changed."""

import json
from pathlib import Path

from clip2point.pretraining.recipe import recipe_schema

if __name__ == "__main__":
    path = Path(__file__).resolve().parents[1] / "recipes" / "schema.json"
    path.write_text(json.dumps(recipe_schema(), indent=1) + "\n", encoding="utf-8")
