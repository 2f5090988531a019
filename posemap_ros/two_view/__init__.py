"""What two photos tell of each other: features both show, epipolar geometry, triangulation."""
