"""What `papertape init` copies into a new folder."""
