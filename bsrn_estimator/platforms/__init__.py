"""What is particular to a family of devices; the only package that knows one."""
