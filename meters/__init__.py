"""Who has used how much of the rate limits."""
