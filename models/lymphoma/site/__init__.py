"""The site's own clinical PET model: a Cox model of measures and clinical factors, refitted on any cohort."""
