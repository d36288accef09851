"""The rules of CONTRIBUTING.md as tests of the tree itself."""
