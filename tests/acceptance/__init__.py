"""Black-box tests of the daemon's contract: command lines, files, the journal, nothing within."""
