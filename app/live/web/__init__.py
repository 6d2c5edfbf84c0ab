"""Health, metrics and the support page over HTTP."""
