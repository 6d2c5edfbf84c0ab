"""Machine clock, partition clock, watermark."""
