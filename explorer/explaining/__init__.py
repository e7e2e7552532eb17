"""What is said of a photo that is not part of the data set: the answer, in numbers and in words."""
