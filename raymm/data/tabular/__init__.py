"""Tables in files of other programs: CSV, Parquet, Arrow and JSON lines, read as Arrow columns."""
