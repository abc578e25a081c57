"""Training on several machines, which find each other by TF_CONFIG."""
