"""The paper's experiments end to end, and what later studies need: what the recipes call."""
