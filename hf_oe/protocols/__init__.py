"""The experiments as data: networks, schedules, transforms and corpora, and the figures that were published."""
