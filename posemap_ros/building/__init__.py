"""From a dataset to an environment, in stages that resume from a work folder."""
