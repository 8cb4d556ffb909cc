"""The meaning of calls, by what is called."""
