"""Valkey by the Valkey project's own operator, whose API is alpha: nothing but this package knows its fields."""
