"""APRNet at run time: one call for the whole network, without Python and its lock meanwhile."""
