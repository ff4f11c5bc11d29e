"""What the request brings, as Python values, with all that is wrong with it found at once."""
