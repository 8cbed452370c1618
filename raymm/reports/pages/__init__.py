"""What the pages of reports say: verdicts, next steps, tables in words and charts, as values for the templates."""
