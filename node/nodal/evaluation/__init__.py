"""Training, judging and accepting prognosis bundles on a cohort folder, and the reports of it."""
