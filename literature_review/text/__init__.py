"""Pure functions over text that several wings share: quotes, sections. No state, no files."""
