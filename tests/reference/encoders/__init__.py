"""Parts of tests/reference/encoders.py."""
