"""The pytest plugin: litmus files and traces as tests, scenarios as a fixture."""
