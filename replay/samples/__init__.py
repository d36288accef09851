"""The bundled sample: synthetic tapes and predictions, and the seeded script that makes them."""
