"""How a prognosis is judged: baselines, protocols, measures with their intervals, recalibration and acceptance."""
