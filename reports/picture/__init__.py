"""Picture: a history as lanes over time, drawn in SVG, and told in a few sentences."""
