"""Whole-engine properties: a naive oracle, random rules and histories, and what always holds."""
