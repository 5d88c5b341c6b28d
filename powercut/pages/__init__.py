"""One self-contained HTML page for a trace: what a reviewer opens from a mail."""
