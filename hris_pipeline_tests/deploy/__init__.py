"""What is deployed: files for containers, services and charts, checked as far as this machine's tools go."""
