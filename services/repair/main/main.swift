print("martlet-repair")
