"""The machine that runs the contract: everything but the shop's own operations, rules and tables."""
