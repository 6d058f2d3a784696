"""Many fits as one program."""
