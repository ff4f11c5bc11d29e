"""What a handler returns, as the answer that its contract promises."""
