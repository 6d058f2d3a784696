"""A ladder of small language models, trained here: the table that scalingfit ships."""
