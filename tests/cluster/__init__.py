"""Tests on a real Kubernetes control plane, run as processes on loopback. No node runs there, and no operator."""
