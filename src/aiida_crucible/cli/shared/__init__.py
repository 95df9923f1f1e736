"""Options, tables and matrices that several commands share."""
