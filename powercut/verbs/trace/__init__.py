"""The verbs of ``powercut trace``: show, minimise, diff, convert, schema.

Why so: replaying says whether a trace still holds; these say what it shows, make it smaller,
compare it and carry it over.  One module a verb, so that a verb costs only what it needs.
"""
