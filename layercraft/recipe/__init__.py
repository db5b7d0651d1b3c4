"""What to build: recipes, requirements files, options."""
