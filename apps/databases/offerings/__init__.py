"""What this family sells: a module or package for each offering, found by ``portal.core.registry``."""
