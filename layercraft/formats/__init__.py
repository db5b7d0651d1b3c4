"""Pure readers and writers of bytes: zip, DEFLATE, ELF, RECORD, core metadata, Python sources."""
