"""What every test may use. Fixtures that belong to one part of the project live beside that part's tests."""
