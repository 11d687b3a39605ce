"""The portal's care of itself: backup, restore, reset, down, newer PostgreSQL, new encryption keys (decision 0011)."""
