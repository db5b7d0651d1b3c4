"""AWS Lambda layers for Python packages."""
