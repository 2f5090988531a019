"""How good poses are: errors, calibration, retrieval as the floor, and reports."""
