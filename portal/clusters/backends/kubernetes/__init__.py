"""The backend for Kubernetes clusters: an API server is asked through ``client``, which everything else here uses."""
