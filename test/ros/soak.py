"""How much the fault tests do: little in `make test`, all of it in `make soak`."""

import os


def amount(little, all_of_it):
    """The second if the environment variable POSEMAP_SOAK is set."""
    return all_of_it if os.environ.get('POSEMAP_SOAK') else little
