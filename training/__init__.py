"""
The offline stages, from a bag to a trained environment: each a thin command line over posemap_ros.
"""
