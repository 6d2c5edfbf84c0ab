"""Misrouted records: out to their partition, in from others, and what that means for the
watermark."""
