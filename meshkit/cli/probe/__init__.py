"""``meshkit probe``: one file per command; parse, call, render."""
