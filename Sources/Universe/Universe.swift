// Universe
