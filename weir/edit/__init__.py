"""Image automation's write-back: byte-exact edits of YAML text. Pure."""
