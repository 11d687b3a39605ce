"""What pages show of services: rows turned into words, figures and what can be done, with no request in sight."""
