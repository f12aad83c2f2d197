"""From clinical record, measures and bundles to indices, risks and nomograms of one study."""
