"""What ROS messages hold, as arrays and transforms: for bags and for the node, without ROS."""
