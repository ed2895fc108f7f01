print("martlet-storage")
