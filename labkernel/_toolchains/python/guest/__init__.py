"""What runs beside a cell inside its component, in the Python there. The lab only copies it."""
