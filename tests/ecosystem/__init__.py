"""Real code: what the rules say about published packages, and what they miss in them. Run as ``python -m``."""
