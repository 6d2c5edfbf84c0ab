"""The parts of a self-contained HTML page that reports share."""
