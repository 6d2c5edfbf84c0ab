"""What a backtest would have done, as one page: counted while it runs, drawn at its end."""
