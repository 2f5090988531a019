"""From an image and an estimate to a pose of centimetres, and the truth about it."""
