"""A module of the bundle's own: what it says is what the plugin answers."""

WORD = b"from the bundle"
