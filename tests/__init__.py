"""A package, because what httplint needs installs one of the same name."""
