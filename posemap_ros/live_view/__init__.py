"""The live view: a node that listens to the localizer, and shows what it hears with Rerun."""
