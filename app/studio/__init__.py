"""A local, read-only web page over the folder of a backtest."""
