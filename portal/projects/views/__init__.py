"""Pages of projects, their members, and the audit log."""
