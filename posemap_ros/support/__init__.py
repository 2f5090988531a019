"""What every program needs: files, progress, command lines, memory and processors."""
