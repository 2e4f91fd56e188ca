"""What a user does from Python: the same as the command line, without a shell."""
