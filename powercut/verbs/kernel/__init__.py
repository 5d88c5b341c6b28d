"""The verbs below ``powercut kernel``, a module each."""
