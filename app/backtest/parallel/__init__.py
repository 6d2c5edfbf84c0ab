"""A backtest in several processes, each with a share of the customers, to the same bytes.

``shards`` reads the history and says when each line is read, ``shard`` decides in a process of its
own, ``ordered_writer`` puts what they write in the order in which one process would have written
it.
"""
