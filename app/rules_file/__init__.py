"""A YAML file to compiled rules, or every problem at once."""
