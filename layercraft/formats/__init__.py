"""Pure readers and writers of bytes: zip records, wheel names and RECORD."""
