"""Comparing trainings: ablations over seeds, and the paper's experiments beside its figures."""
