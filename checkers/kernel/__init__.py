"""What a real kernel writes and what a power cut leaves of that, judged as the model's runs are."""
