"""Gathering a support bundle: everything is read, nothing is changed, and what can't be read is named."""
