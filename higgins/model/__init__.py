"""The nouns: frozen typed values, standard library only."""
