"""What is published: the files of a wheel and of an sdist, and an installed powercut at work."""
