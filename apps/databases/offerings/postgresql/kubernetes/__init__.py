"""PostgreSQL by CloudNativePG: from a service as asked for to its operator's objects, and back to a customer's words.

What the operator's fields and phases mean is in its reference (CloudNativePG 1.30, Barman Cloud plugin 0.14).
"""
