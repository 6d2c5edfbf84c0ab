"""`triggers demo`: a shop and a travel agency in a minute, on an embedded broker.

Nothing here decides: people and events are made up (``customers``, ``plots``, ``story``,
``audience``), the rules that ship are shortened (``rules``), and what the real worker decides is
shown (``tally``, ``words``, ``show``, ``summary``). ``run`` puts it together.
"""
