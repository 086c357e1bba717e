"""Laws that hold for every import, whoever asks: the pipeline against the oracle."""
