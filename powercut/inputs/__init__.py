"""What a user gives: names, files, scopes, parameters; mistakes become one line."""
