"""What version 2 of the contract means where it is not what version 1 means."""
