"""The differential test: generated programs, analysed and run on torch, and the two compared."""
