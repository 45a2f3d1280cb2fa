"""From files to objects: overlay, substitution, ownership labels. Pure."""
