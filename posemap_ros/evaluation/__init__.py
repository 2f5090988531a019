"""How good poses are: errors, calibration, retrieval as the floor, ablations and reports."""
