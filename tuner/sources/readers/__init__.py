"""One kind of file per file: its bytes as tables or arrays."""
