"""What grey values can and cannot say, and which conclusions the data of a study support."""
