"""Commands that publish calculations, and check those of others."""
