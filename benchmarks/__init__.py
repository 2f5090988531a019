"""Measurements. They print; nothing depends on what."""
