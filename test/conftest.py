"""Keeps the tests' ROS traffic to themselves: this machine only, and a domain of their own."""

import os

# Read when rclpy starts, in this process and in the nodes that tests start. Domains 1 to 100 are
# free on every platform; the process id keeps two runs on one machine apart.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
