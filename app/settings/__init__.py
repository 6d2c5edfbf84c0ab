"""``TRIGGER_*`` variables to one checked, frozen object."""
