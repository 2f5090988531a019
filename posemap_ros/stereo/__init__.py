"""How far away things are in photos whose poses are known: from how they move between them."""
