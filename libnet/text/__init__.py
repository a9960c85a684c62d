"""Pure formatters shared by commands: flag words, columns, err(3), media words."""
