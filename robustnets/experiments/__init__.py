"""From Cells to Records: planned, resumable, in parallel."""
