"""What analyse computes, one file per group of tables."""
