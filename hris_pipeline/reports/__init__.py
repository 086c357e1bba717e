"""What users are for, as frames: milestones and reporting lines. Pure."""
