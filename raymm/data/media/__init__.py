"""Readers and writers of media files: sound, frames, optical flow and arrays."""
