"""The journal: inputs and outputs of every turn, in one SQLite file that is only appended to."""
