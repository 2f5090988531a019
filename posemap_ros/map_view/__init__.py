"""What the map shows from a pose, as pictures that people can look at. No ROS."""
