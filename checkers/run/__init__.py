"""Running a question: one mount after the other, and the native replay that has the last word."""
