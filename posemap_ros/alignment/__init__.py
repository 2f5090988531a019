"""Alignment: an environment fitted to how the place looks now, and only kept if that helps."""
