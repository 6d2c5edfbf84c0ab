"""``triggers funnel``: how far things get through stages, where they are lost, what brought them
back; and the steps of each journey of messages.

One thing is a customer and a value of the key field (a booking, a cart). It begins with its first
event of the first stage. A later stage is reached by an event of its type from then on, within the
funnel's time; who reaches a stage has reached those before it, also without their events.
"""
