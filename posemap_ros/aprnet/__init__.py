"""APRNet: one image to a pose, its spread and image features; its losses and training."""
