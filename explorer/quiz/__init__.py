"""A quiz that shows whether explanations help people: pure logic, without a page."""
