print("martlet-replicator")
