"""NeRF-P: the radiance field of a place with the pose branch; rendering and training."""
