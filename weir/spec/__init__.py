"""The nouns of Weir: frozen values parsed once at the door, shared by every room. No I/O, no clock."""
