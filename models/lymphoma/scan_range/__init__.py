"""Whether a scan looks like those the shared networks know: its uptake, its organs and how PET and CT agree."""
