"""The running worker. A record walks ``input`` -> ``partition`` -> ``commit``."""
