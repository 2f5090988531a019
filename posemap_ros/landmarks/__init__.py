"""Landmarks: points of the place that keypoints of an image are matched to, and their map."""
