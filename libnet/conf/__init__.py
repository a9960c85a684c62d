"""Pure parsers of configuration languages and -d/-p option strings."""
