"""Endpoints of services: each view checks access, then reads the body, acts, and renders."""
