"""From a recording to posed images: bags read without ROS, frames chosen, poses found."""
