"""In-distribution sets, outliers and test anomalies: where they come from and how they reach the model."""
