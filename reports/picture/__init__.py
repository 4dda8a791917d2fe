"""Picture: a history as lanes over time in SVG, and as a summary in a few sentences."""
