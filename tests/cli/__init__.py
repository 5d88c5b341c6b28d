"""The command line, from outside: exit codes, documents, reports and the explorer."""
