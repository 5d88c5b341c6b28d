"""What a verb answers: the JSON documents and the reports."""
