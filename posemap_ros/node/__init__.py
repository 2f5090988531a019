"""The ROS 2 node, the only part of posemap_ros that imports rclpy."""
