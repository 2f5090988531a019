"""
Visual localization in a known place: one camera frame in, its pose out, with a learned map that
adapts.
"""
